"""Asking what may refuse or never answer, without waiting for it."""

import threading
import time
from collections.abc import Callable
from typing import Any

import gevent
import pytest
from gevent.threadpool import ThreadPool
from redis import RedisError

from pipeline.store import StoreUnavailable
from web.asking import PATIENCE_S, Asking


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
    """An Asking with calls and a clock in the test's hands."""

    def __init__(self) -> None:
        self.calls: list[Held] = []
        self.now_s = 0.0
        self.refuses = False
        self.asking = Asking(
            "database", self._echo, StoreUnavailable, spawn=self._spawn, monotonic=self._clock
        )

    def ask(self, question: int, *, answered: bool = True) -> None:
        self.asking.ask(question)
        self.calls[-1].over = answered
        self.asking.wait(0)

    def _echo(self, question: int) -> int:
        if self.refuses:
            raise StoreUnavailable("no such file")
        return question

    def _spawn(self, call: Callable[[int], Any], question: int) -> Held:
        self.calls.append(Held(lambda: call(question)))
        return self.calls[-1]

    def _clock(self) -> float:
        return self.now_s


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_an_answer_is_kept(bench: Bench) -> None:
    bench.ask(1)
    assert (bench.asking.answer, bench.asking.error) == (1, None)


def test_a_refusal_is_told_at_once_and_the_last_answer_is_kept(bench: Bench) -> None:
    bench.ask(1)
    bench.refuses = True
    bench.ask(2)
    assert bench.asking.error == "The database can't be read: no such file"
    assert bench.asking.answer == 1


def test_what_answers_again_is_right_again(bench: Bench) -> None:
    bench.refuses = True
    bench.ask(1)
    bench.refuses = False
    bench.ask(2)
    assert (bench.asking.answer, bench.asking.error) == (2, None)


def test_silence_is_told_after_a_while_and_not_before(bench: Bench) -> None:
    bench.ask(1)
    bench.ask(2, answered=False)
    bench.now_s = PATIENCE_S
    assert bench.asking.error is None
    bench.now_s = PATIENCE_S + 0.1
    assert bench.asking.error == f"The database can't be read: no answer for more than {PATIENCE_S:.0f} s"


def test_silence_counts_from_the_question_and_not_from_the_answer_before(bench: Bench) -> None:
    bench.ask(1)
    bench.now_s = PATIENCE_S
    bench.ask(2, answered=False)
    bench.now_s = 2 * PATIENCE_S
    assert bench.asking.error is None
    bench.now_s = 2 * PATIENCE_S + 0.1
    assert bench.asking.error
    bench.ask(3, answered=False)  # not asked while the question before is open
    assert bench.asking.error


def test_nothing_more_is_asked_while_a_question_is_open(bench: Bench) -> None:
    bench.ask(1, answered=False)
    for question in range(2, 100):
        bench.ask(question, answered=False)
    assert len(bench.calls) == 1


def test_a_late_answer_ends_the_silence(bench: Bench) -> None:
    bench.ask(1, answered=False)
    bench.now_s = 60.0
    bench.calls[0].over = True
    bench.ask(2)
    assert (bench.asking.answer, bench.asking.error) == (2, None)


def test_each_answer_is_counted(bench: Bench) -> None:
    bench.ask(1)
    bench.refuses = True
    bench.ask(2)
    bench.refuses = False
    bench.ask(3, answered=False)
    assert bench.asking.answers == 1
    bench.calls[-1].over = True
    bench.asking.wait(0)
    assert bench.asking.answers == 2


def test_why_it_refuses_is_told_without_credentials(bench: Bench) -> None:
    def refuse(question: int) -> int:
        raise RedisError(f"Error {question} connecting to redis://:geheim@queue:6379")

    asking = Asking("queue", refuse, RedisError, spawn=gevent.spawn)
    asking.ask(111)
    asking.wait(5)
    assert asking.error == "The queue can't be read: Error 111 connecting to redis://queue:6379"


def test_a_call_that_hangs_in_a_thread_does_not_hold_up_the_one_who_asks() -> None:
    release = threading.Event()

    def wait(question: int) -> bool:
        return release.wait(10)

    asking = Asking("database", wait, StoreUnavailable, spawn=ThreadPool(1).spawn)
    started = time.monotonic()
    asking.ask(0)
    asking.wait(0.05)
    assert time.monotonic() - started < 5
    assert asking.answer is None
    release.set()
    asking.wait(5)
    assert asking.answer is True
