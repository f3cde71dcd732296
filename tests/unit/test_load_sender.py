"""The sender, over real sockets, against a gateway that behaves as the test asks."""

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from load import sender as senders
from load.ledger import ACKNOWLEDGED, REFUSED, UNKNOWN
from load.measurements import Measurements
from load.options import Options
from load.sender import Sender
from load.target import SqliteTarget, Target
from tests.support import event_loop
from tests.support.ports import free_port
from tests.support.trivial_gateway import ARRIVED_US, TrivialGateway, accept


def send(
    options: Options,
    answer: Any = accept,
    *,
    during: Callable[[Sender, TrivialGateway], None] = lambda sender, gateway: None,
    progress: Callable[[int], object] = lambda done: None,
) -> tuple[Measurements, TrivialGateway]:
    """One load against a gateway of its own; ``during`` is called 0.3 s after the start."""

    async def go() -> tuple[Measurements, TrivialGateway]:
        async with TrivialGateway(answer) as gateway:
            there = Target(gateway.url, "", "secret", SqliteTarget(Path()))
            sender = Sender(there, "load-1", "k" * 32, options, progress)
            asyncio.get_running_loop().call_later(0.3, during, sender, gateway)
            return await sender.run(), gateway

    return event_loop.run(go())


def counts(measured: Measurements) -> tuple[int, int, int]:
    return tuple(measured.ledger.count(state) for state in (ACKNOWLEDGED, REFUSED, UNKNOWN))  # type: ignore[return-value]


def test_all_is_sent_once_and_the_arrival_is_kept() -> None:
    measured, gateway = send(Options(rate=500, seconds=0.5, batch=10))
    assert counts(measured) == (250, 0, 0)
    sent = [message for body in gateway.bodies for message in json.loads(body)]
    assert sorted(message["number"] for message in sent) == list(range(250))
    assert {message["run"] for message in sent} == {"load-1"}
    assert measured.ledger.arrived_us(10) == ARRIVED_US
    assert gateway.headers[0]["Run-Key"] == "k" * 32
    assert gateway.headers[0]["Authorization"] == "Bearer secret"


def test_the_last_request_carries_what_is_left() -> None:
    measured, gateway = send(Options(rate=100, seconds=0.25, batch=10))
    assert counts(measured) == (25, 0, 0)
    assert sorted(len(json.loads(body)) for body in gateway.bodies) == [5, 10, 10]


def test_the_progress_rises_to_the_number_of_messages_also_where_the_last_request_has_fewer() -> None:
    done: list[int] = []
    send(Options(rate=100, seconds=0.25, batch=10), progress=done.append)
    assert done == sorted(done)
    assert set(done) <= {0, 10, 20, 25}
    assert done[-1] == 25


def test_what_was_not_answered_202_is_sent_again_as_it_was() -> None:
    async def refuse_first(index: int, messages: list[dict[str, Any]]) -> tuple[int, str] | None:
        return (503, "Retry-After: 0\r\n") if index < 3 else (202, "")

    measured, gateway = send(Options(rate=20, seconds=0.5), refuse_first)
    assert counts(measured) == (10, 0, 0)
    assert measured.failures == {"503": 3}
    assert measured.retries == 3
    assert len(gateway.bodies) == 13
    assert len(set(gateway.bodies)) == 10


def test_without_retry_each_is_sent_once() -> None:
    async def fail_some(index: int, messages: list[dict[str, Any]]) -> tuple[int, str] | None:
        number = messages[0]["number"]
        if number == 1:
            return 429, ""
        return None if number == 2 else (202, "")

    measured, gateway = send(Options(rate=50, seconds=0.2, retry=False), fail_some)
    assert counts(measured) == (8, 1, 1)
    assert len(gateway.bodies) == 10
    assert (measured.ledger.states[1], measured.ledger.states[2]) == (REFUSED, UNKNOWN)


def test_no_answer_in_time_is_a_timeout_and_is_in_the_latencies() -> None:
    async def slow_one(index: int, messages: list[dict[str, Any]]) -> tuple[int, str] | None:
        if messages[0]["number"] == 3:
            await asyncio.sleep(10)
        return 202, ""

    measured, _ = send(Options(rate=50, seconds=0.2, retry=False, timeout_s=2), slow_one)
    assert counts(measured) == (9, 0, 1)
    assert measured.failures == {"timeout": 1}
    assert measured.latency_us[3] >= 2_000_000
    assert not measured.acknowledged[3]


def test_an_open_loop_counts_from_the_moment_that_a_message_was_due() -> None:
    """One connection, the first answer takes two seconds: those behind it waited, and it shows."""

    async def slow_first(index: int, messages: list[dict[str, Any]]) -> tuple[int, str] | None:
        await asyncio.sleep(2 if index == 0 else 0)
        return 202, ""

    measured, _ = send(Options(rate=100, seconds=0.3, connections=1), slow_first)
    assert counts(measured) == (30, 0, 0)
    assert measured.latency_us[0] >= 2_000_000
    assert measured.latency_us[20] >= 1_800_000
    assert measured.waited_us[20] >= 1_000_000  # less what the sender itself was behind
    assert measured.behind_us[20] < 1_000_000


def test_where_nobody_listens_every_message_is_unknown() -> None:
    async def go() -> Measurements:
        there = Target(f"http://127.0.0.1:{free_port()}", "", "", SqliteTarget(Path()))
        options = Options(rate=200, seconds=0.3, retry=False)
        return await Sender(there, "load-1", "k" * 32, options, lambda done: None).run()

    measured = event_loop.run(go())
    assert counts(measured) == (0, 0, 60)
    assert measured.failures == {"ConnectionRefusedError": 60}


def test_what_never_got_a_connection_is_unknown_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(senders, "GIVE_UP_S", 1.0)

    async def hang(index: int, messages: list[dict[str, Any]]) -> tuple[int, str] | None:
        await asyncio.sleep(30 if index >= 10 else 0)
        return 202, ""

    measured, _ = send(Options(rate=100, seconds=0.5, connections=2), hang)
    assert counts(measured) == (10, 0, 40)


def test_a_gateway_that_was_unavailable_gets_everything() -> None:
    async def drop_for_a_while(index: int, messages: list[dict[str, Any]]) -> tuple[int, str] | None:
        return None if 20 <= index < 120 else (202, "")

    measured, _ = send(Options(rate=200, seconds=1), drop_for_a_while)
    assert counts(measured) == (200, 0, 0)
    assert measured.retries >= 100


def test_an_interruption_ends_the_sending_and_keeps_what_was_sent() -> None:
    def stop(sender: Sender, gateway: TrivialGateway) -> None:
        if gateway.bodies:
            sender.stop()
        else:  # a busy machine has not sent anything yet
            asyncio.get_running_loop().call_later(0.05, stop, sender, gateway)

    measured, gateway = send(Options(rate=100, seconds=60), during=stop)
    assert measured.interrupted
    assert 0 < measured.sent < 6_000
    assert counts(measured) == (measured.sent, 0, 0)
    assert len(gateway.bodies) == measured.sent


def test_a_request_that_is_itself_wrong_is_not_tried_for_long_after_the_end() -> None:
    async def unauthorised(index: int, messages: list[dict[str, Any]]) -> tuple[int, str] | None:
        return 401, ""

    measured, _ = send(Options(rate=50, seconds=0.4), unauthorised)
    assert counts(measured) == (0, 20, 0)
    assert max(measured.latency_us) < senders.GIVE_UP_S * 1e6 / 2


def test_a_sender_that_is_late_says_so() -> None:
    """The loop is held up for half a second: that is the sender's fault and is reported separately."""
    measured, _ = send(Options(rate=100, seconds=1), during=lambda sender, gateway: time.sleep(0.5))
    assert max(measured.behind_us) >= 400_000
    pairs = zip(measured.latency_us, measured.behind_us, strict=True)
    assert all(latency >= behind for latency, behind in pairs)
    assert counts(measured) == (100, 0, 0)
