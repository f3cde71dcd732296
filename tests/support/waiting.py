"""Waiting for a condition."""

import time
from collections.abc import Callable

PERIOD_S = 0.05


def until(true: Callable[[], bool], within_s: float = 15.0, what: str = "the condition") -> float:
    """Wait until ``true()``; how long it took, in seconds. Fails the test, naming ``what``, after that."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < within_s, f"{what}: not within {within_s} s"
        time.sleep(PERIOD_S)
    return time.monotonic() - began
