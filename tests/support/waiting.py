"""Waiting for a condition, and timing, on machines that do other work meanwhile."""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

PERIOD_S = 0.05
LONGEST_PAUSE_S = 0.5
PRESSURE = Path("/proc/pressure")
RESOURCES = ("cpu", "io")
LINES = 20
MOST = 6.0
"""A time may be this many times as long on a busy machine."""


class Stopwatch:
    """Time since its start, without that in which processes of this machine waited for a processor or a disk.

    A promise in seconds is about a machine that has both for the product: beside other tests the same work
    takes longer. The two waits may be at the same time, so the longer one is left out. Of the measured time
    at least a sixth counts. Where the kernel does not report what waited, all of it counts.

    Source: https://docs.kernel.org/accounting/psi.html
    """

    def __init__(self) -> None:
        self._began_s = time.monotonic()
        self._began_waiting_s = _waiting_s()

    @property
    def passed_s(self) -> float:
        """All of the time until now."""
        return time.monotonic() - self._began_s

    @property
    def seconds(self) -> float:
        """The time until now."""
        passed_s = self.passed_s
        waits_s = zip(_waiting_s(), self._began_waiting_s, strict=True)
        return max(passed_s - max(now_s - before_s for now_s, before_s in waits_s), passed_s / MOST)


def until(
    true: Callable[[], object], within_s: float = 15.0, what: str = "the condition", log: Path | None = None
) -> float:
    """Wait until ``true()``; how long it took, in seconds of a ``Stopwatch``.

    Fails the test after ``within_s`` of them: with ``what``, the value that it had at last, and the end of
    ``log``.
    """
    watch = Stopwatch()
    awaited(true, bool, within_s, what, log)
    return watch.seconds


def awaited(
    ask: Callable[[], T],
    fits: Callable[[T], object],
    within_s: float = 15.0,
    what: str = "the condition",
    log: Path | None = None,
) -> T:
    """The first answer of ``ask()`` that ``fits``, waited for as by ``until``; the next may not fit."""
    watch = Stopwatch()
    asked_s = time.monotonic()
    while not fits(answer := ask()):
        assert watch.seconds < within_s, f"{what}: {answer!r}, not within {within_s} s{_tail(log)}"
        took_s = time.monotonic() - asked_s
        time.sleep(min(max(3 * took_s, PERIOD_S), LONGEST_PAUSE_S))  # a command keeps a processor busy
        asked_s = time.monotonic()
    return answer


def never(true: Callable[[], object], for_s: float) -> bool:
    """Whether ``true()`` stays false for that long."""
    until_s = time.monotonic() + for_s
    while time.monotonic() < until_s:
        if true():
            return False
        time.sleep(PERIOD_S)
    return True


def _tail(log: Path | None) -> str:
    if log is None or not log.exists():
        return ""
    return "\n".join(["", *log.read_text(errors="replace").splitlines()[-LINES:]])


def _waiting_s() -> list[float]:
    """How long, since the machine started, at least one process waited for each of the resources."""
    return [_total_s(PRESSURE / name) for name in RESOURCES]


def _total_s(file: Path) -> float:
    try:
        found = re.match(r"some .*total=(\d+)", file.read_text())
    except OSError:
        return 0.0
    return int(found[1]) / 1e6 if found else 0.0
