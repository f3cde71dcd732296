"""Pauses grow with each failure, up to a cap, and are as long as the server asks for."""

import pytest

from producer.gateway_client import Disposition, Outcome
from producer.retry_sender import BASE_S, MAX_S, SLOW_S, Backoff

FAILED = Outcome(Disposition.RETRY, "ConnectionError")


def highest(_low: float, high: float) -> float:
    return high


def test_the_longest_pause_doubles_up_to_the_cap() -> None:
    backoff = Backoff(highest)
    pauses = [backoff.delay_s(FAILED) for _ in range(8)]
    assert pauses == [min(BASE_S * 2**attempt, MAX_S) for attempt in range(8)]
    assert pauses[-1] == MAX_S


def test_the_pause_is_drawn_from_nothing_to_the_longest() -> None:
    asked: list[tuple[float, float]] = []

    def draw(low: float, high: float) -> float:
        asked.append((low, high))
        return low

    assert Backoff(draw).delay_s(FAILED) == 0.0
    assert asked == [(0.0, BASE_S)]


def test_a_success_brings_the_short_pause_back() -> None:
    backoff = Backoff(highest)
    for _ in range(5):
        backoff.delay_s(FAILED)
    backoff.reset()
    assert backoff.delay_s(FAILED) == BASE_S


@pytest.mark.parametrize("retry_after_s", [1.0, 30.0])
def test_it_never_comes_back_sooner_than_the_server_asked(retry_after_s: float) -> None:
    outcome = Outcome(Disposition.RETRY, "503", retry_after_s=retry_after_s)
    assert Backoff(lambda low, _high: low).delay_s(outcome) == retry_after_s


def test_a_refused_token_is_tried_again_slowly() -> None:
    outcome = Outcome(Disposition.RETRY_SLOW, "401")
    assert Backoff(lambda low, _high: low).delay_s(outcome) == SLOW_S / 2
    assert Backoff(highest).delay_s(outcome) == SLOW_S
