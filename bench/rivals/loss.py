"""What is lost, and what is done twice, when workers and Redis are killed under load."""

import threading
import time
from dataclasses import asdict, dataclass
from typing import Any

from bench.rivals import database, sending
from bench.rivals.limits import Limits
from bench.rivals.site import Site, executions, stored_count
from bench.rivals.waiting import TookTooLong, until
from load import rows
from load.ledger import Ledger
from load.rows import Unreadable
from load.verdict import Findings, check

POLL_S = 0.2
MIN_QUIET_S = 5.0
"""A site counts as settled when nothing was executed for this long, or for its time of recovery."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What became of the messages that were sent."""

    sent: int
    acknowledged: int
    lost: int
    """Acknowledged, not stored, and not in the queue any more when the run was judged."""
    waiting: int
    """Acknowledged and not stored, but the queue still holds as many."""
    executed_again: int
    """Attempts to store a message beyond the first: what a task would do twice that is not idempotent."""
    rows_twice: int
    """Rows beyond the first of a number; the primary key excludes them."""
    settled: bool
    """Whether the site was quiet before the limit."""
    settled_after_s: float

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def judge(findings: Findings, attempts: int, waiting: int, *, settled: bool, after_s: float) -> Judgement:
    """Judge what the checker of ``load`` found.

    Args:
        findings: acknowledged messages compared with the rows, number by number.
        attempts: to store a message of the run, in all.
        waiting: messages that the queue still holds.
        settled: whether the site was quiet.
        after_s: how long after the last request.
    """
    still = min(findings.lost.count, waiting)
    numbers = findings.stored - findings.duplicated.count
    return Judgement(
        sent=findings.acknowledged + findings.refused + findings.unknown,
        acknowledged=findings.acknowledged,
        lost=findings.lost.count - still,
        waiting=still,
        executed_again=max(0, attempts - numbers),
        rows_twice=findings.duplicated.count,
        settled=settled,
        settled_after_s=round(after_s, 1),
    )


def loss(site: Site, limits: Limits, recovery_s: float) -> dict[str, Any]:
    """Send at a steady rate while worker and Redis are killed; judge once the site is quiet."""
    database.count_executions(site.database)
    run = sending.new_run()
    measured = sending.steady(
        site.target, run, limits.loss_rate, limits.loss_s, lambda over: _kill(site, limits, over)
    )
    ended_s = time.monotonic()
    settled = _settle(site, run, limits.settle_s, max(MIN_QUIET_S, recovery_s), measured.ledger)
    after_s = time.monotonic() - ended_s
    findings = check(measured.ledger, rows.reader(site.target)(run))
    waiting = site.waiting() or 0
    attempts = executions(site.database, run)
    judged = judge(findings, attempts, waiting, settled=settled, after_s=after_s)
    failures = {"retries": measured.retries, "failed_attempts": dict(measured.failures.most_common())}
    return {**judged.as_dict(), **failures, "p99_ms": sending.latency_ms(measured, 99)}


def faults(limits: Limits) -> list[tuple[float, str]]:
    """When each process is killed, in order, in seconds after the beginning."""
    workers = [(at_s, "worker") for at_s in limits.worker_kills_s]
    return sorted(workers + [(at_s, "redis") for at_s in limits.redis_kills_s])


def _kill(site: Site, limits: Limits, over: threading.Event) -> None:
    """Kill as planned, and have started again what ended, until ``over``."""
    began_s = time.monotonic()
    planned = faults(limits)
    while not over.wait(POLL_S):
        if planned and time.monotonic() - began_s >= planned[0][0]:
            _, what = planned.pop(0)
            site.kill_worker() if what == "worker" else site.kill_redis()
        site.keep_running()


def _settle(site: Site, run: str, limit_s: float, quiet_s: float, ledger: Ledger) -> bool:
    """Wait until nothing was executed for ``quiet_s`` and the queue is empty; whether that came in time."""
    seen, since_s = -1, time.monotonic()

    def quiet() -> bool:
        nonlocal seen, since_s
        site.keep_running()
        attempts = executions(site.database, run)
        if attempts != seen:
            seen, since_s = attempts, time.monotonic()
        passed_s = time.monotonic() - since_s
        return passed_s >= quiet_s or (passed_s >= MIN_QUIET_S and _is_complete(site, run, ledger))

    try:
        until(quiet, limit_s, "not settled", every_s=POLL_S)
    except TookTooLong:
        return False
    return True


def _is_complete(site: Site, run: str, ledger: Ledger) -> bool:
    """Whether all is stored and nothing can follow: the queue holds no message any more."""
    if site.waiting() != 0 or stored_count(site.database, run) < len(ledger):
        return False
    try:
        return not check(ledger, rows.reader(site.target)(run)).open
    except Unreadable:
        return False
