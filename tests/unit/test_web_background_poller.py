"""Polling a source that may fail or never answer, without waiting for it."""

import threading
from collections.abc import Callable
from typing import Any

import gevent
import pytest
from gevent.threadpool import ThreadPool
from redis import RedisError

from pipeline.store import StoreUnavailable
from web.poller import LATE_S, POLL_TIMEOUT_S, BackgroundPoller


class Held:
    """A call that the test lets end when it wants."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self._call = call
        self.over = False

    def get(self, *, block: bool, timeout: float) -> Any:
        if not self.over:
            raise gevent.Timeout(timeout)
        return self._call()


class Bench:
    """A poller with calls and a clock that the test controls."""

    def __init__(self) -> None:
        self.calls: list[Held] = []
        self.now_s = 0.0
        self.fails = False
        self.poller = BackgroundPoller(
            "database", self._echo, StoreUnavailable, spawn=self._spawn, monotonic=self._clock
        )

    def poll(self, request: int, *, answered: bool = True) -> None:
        self.poller.poll(request)
        self.calls[-1].over = answered
        self.poller.wait(0)

    def _echo(self, request: int) -> int:
        if self.fails:
            raise StoreUnavailable("no such file")
        return request

    def _spawn(self, call: Callable[[int], Any], request: int) -> Held:
        self.calls.append(Held(lambda: call(request)))
        return self.calls[-1]

    def _clock(self) -> float:
        return self.now_s


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_value_is_kept(bench: Bench) -> None:
    bench.poll(1)
    assert (bench.poller.value, bench.poller.error) == (1, None)


def test_an_error_is_reported_at_once_and_the_last_value_is_kept(bench: Bench) -> None:
    bench.poll(1)
    bench.fails = True
    bench.poll(2)
    assert bench.poller.error == "The database can't be read: no such file"
    assert bench.poller.value == 1


def test_a_source_that_answers_again_has_no_error(bench: Bench) -> None:
    bench.fails = True
    bench.poll(1)
    bench.fails = False
    bench.poll(2)
    assert (bench.poller.value, bench.poller.error) == (2, None)


def test_silence_is_reported_after_the_timeout_and_not_before(bench: Bench) -> None:
    bench.poll(1)
    bench.poll(2, answered=False)
    bench.now_s = POLL_TIMEOUT_S
    assert bench.poller.error is None
    bench.now_s = POLL_TIMEOUT_S + 0.1
    assert bench.poller.error == f"The database can't be read: no answer for more than {POLL_TIMEOUT_S:.0f} s"


def test_the_timeout_counts_from_the_poll_and_not_from_the_value_before(bench: Bench) -> None:
    bench.poll(1)
    bench.now_s = POLL_TIMEOUT_S
    bench.poll(2, answered=False)
    bench.now_s = 2 * POLL_TIMEOUT_S
    assert bench.poller.error is None
    bench.now_s = 2 * POLL_TIMEOUT_S + 0.1
    assert bench.poller.error
    bench.poll(3, answered=False)  # not started while the earlier one is running
    assert bench.poller.error


def test_no_second_call_starts_while_one_is_running(bench: Bench) -> None:
    bench.poll(1, answered=False)
    for request in range(2, 100):
        bench.poll(request, answered=False)
    assert len(bench.calls) == 1


def test_the_next_answer_in_time_ends_the_silence(bench: Bench) -> None:
    bench.poll(1, answered=False)
    bench.now_s = 60.0
    bench.calls[0].over = True
    bench.poll(2)
    assert (bench.poller.value, bench.poller.error) == (2, None)


def test_a_source_that_always_answers_late_is_unreadable_until_it_answers_in_time(bench: Bench) -> None:
    errors = []
    for request in range(1, 5):
        bench.poll(request, answered=False)
        bench.now_s += LATE_S + 0.1
        bench.calls[-1].over = True
        bench.poller.wait(0)
        errors.append(bench.poller.error)
        bench.poll(100 + request, answered=False)
        errors.append(bench.poller.error)
        bench.calls[-1].over = True
        bench.now_s += LATE_S + 0.1
        bench.poller.wait(0)
    assert set(errors) == {f"The database can't be read: no answer for more than {POLL_TIMEOUT_S:.0f} s"}
    assert bench.poller.value == 104, "what came late is known all the same"
    bench.poll(5)
    assert bench.poller.error is None


def test_the_time_of_a_value_is_when_it_was_received(bench: Bench) -> None:
    assert bench.poller.at_s is None
    bench.now_s = 1.0
    bench.poll(1)
    bench.now_s = 2.0
    bench.fails = True
    bench.poll(2)
    bench.now_s = 3.0
    bench.fails = False
    bench.poll(3, answered=False)
    assert bench.poller.at_s == 1.0
    bench.now_s = 4.0
    bench.calls[-1].over = True
    bench.poller.wait(0)
    assert bench.poller.at_s == 4.0


def test_the_reason_of_an_error_contains_no_credentials(bench: Bench) -> None:
    def fail(request: int) -> int:
        raise RedisError(f"Error {request} connecting to redis://:geheim@queue:6379")

    poller = BackgroundPoller("queue", fail, RedisError, spawn=gevent.spawn)
    poller.poll(111)
    poller.wait(5)
    assert poller.error == "Redis can't be read: Error 111 connecting to redis://queue:6379"


def test_a_call_that_hangs_in_a_thread_does_not_block_its_caller() -> None:
    release = threading.Event()

    def wait(request: int) -> bool:
        return release.wait(10)

    poller = BackgroundPoller("database", wait, StoreUnavailable, spawn=ThreadPool(1).spawn)
    poller.poll(0)
    poller.wait(0.05)
    assert poller.value is None  # else False, after 10 s
    release.set()
    poller.wait(5)
    assert poller.value is True
