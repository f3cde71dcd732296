"""Reads the database until it agrees with what was answered, or for as long as a message may take."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from load import verdict
from load.ledger import Ledger
from load.rows import ReadRows, Unreadable
from load.verdict import Findings

PATIENCE_S = 30.0
"""How long the last messages may take to be stored."""
MIN_PAUSE_S = 0.3
INTERRUPTED = "interrupted before the database agreed"
QUIET_READINGS = 3
"""Readings without a new row after which messages that were not acknowledged are not waited for."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What came of the readings."""

    findings: Findings | None
    """The last that could be made; None where the database could not be read at the end."""
    error: str | None
    """Why it could not be read."""
    took_s: float
    """From the first reading to the last."""

    @property
    def verdict(self) -> str:
        return verdict.verdict(self.findings)


def verify(
    ledger: Ledger,
    read_rows: ReadRows,
    run: str,
    *,
    now_s: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Verification:
    """Compare ``ledger`` with the rows of ``run`` until they agree or ``PATIENCE_S`` have passed.

    An interruption (Ctrl-C) ends that undecided: what is missing may only be late.
    """
    began_s = now_s()
    try:
        return _read_until_final(ledger, read_rows, run, now_s, sleep)
    except KeyboardInterrupt:
        return Verification(None, INTERRUPTED, now_s() - began_s)


def _read_until_final(
    ledger: Ledger,
    read_rows: ReadRows,
    run: str,
    now_s: Callable[[], float],
    sleep: Callable[[float], None],
) -> Verification:
    began_s = now_s()
    quiet, stored = 0, -1
    while True:
        read_s = now_s()
        findings, error = _compare(ledger, read_rows, run)
        ended_s = now_s()
        quiet = quiet + 1 if findings and findings.stored == stored else 0
        stored = findings.stored if findings else -1
        is_final = findings is not None and findings.agrees and (not findings.open or quiet >= QUIET_READINGS)
        if is_final or ended_s - began_s >= PATIENCE_S:
            return Verification(findings, error, ended_s - began_s)
        sleep(max(MIN_PAUSE_S, ended_s - read_s))  # a large run is not read without a pause


def _compare(ledger: Ledger, read_rows: ReadRows, run: str) -> tuple[Findings | None, str | None]:
    try:
        return verdict.check(ledger, read_rows(run)), None
    except Unreadable as error:
        return None, str(error)
