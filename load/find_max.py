"""Searches the highest rate whose p99 keeps below a limit."""

import sys
from collections.abc import Callable
from dataclasses import replace

from load.options import MAX_RATE, Options
from load.result import Result
from load.target import Target
from load.verdict import INVALID, UNDECIDED, VALID
from load.verification import INTERRUPTED

CLOSE = 1.05
"""The search ends where a rate that keeps below and one that does not are this close."""
MAX_STEPS = 24

Measure = Callable[[Target, Options], Result]


def search(target: Target, options: Options, limit_ms: float, measure: Measure) -> Result:
    """Double the rate until it is too high, then halve the gap. Ctrl-C ends the search.

    Returns:
        The result of the highest rate that kept below, else of the last that was tried, with all steps
        under ``find_max``. Its verdict is the worst of all steps.

    Raises:
        KeyboardInterrupt: before there was any result.
    """
    low: float = 0.0
    high: float | None = None
    rate = options.rate
    results: list[Result] = []
    stopped = False
    while len(results) < MAX_STEPS and not stopped and not _is_close(low, high):
        try:
            found = measure(target, replace(options, rate=rate))
        except KeyboardInterrupt:
            if not results:
                raise
            return _sum_up(results, limit_ms, stopped=True)
        stopped = _is_stopped(found)
        if stopped and results and _says_nothing(found):
            break
        results.append(found)
        print(_step(found, limit_ms), file=sys.stderr)
        if keeps(found, limit_ms):
            low = rate
        else:
            high = rate
        rate = _next(low, high)
    return _sum_up(results, limit_ms, stopped=stopped)


def keeps(found: Result, limit_ms: float) -> bool:
    """Whether a step is valid, was answered in full, at its rate, and with a p99 below the limit."""
    p99 = found["latency_ms"]["p99"]
    complete = found["acknowledged"] == found["planned"] and not found["generator_was_the_limit"]
    return complete and found["verdict"] == VALID and p99 is not None and p99 < limit_ms


def _is_stopped(found: Result) -> bool:
    """Whether somebody ended a step (Ctrl-C), while it was sent or while the database was read."""
    return bool(found["interrupted"]) or found["database_error"] == INTERRUPTED


def _says_nothing(found: Result) -> bool:
    """Whether nothing of a step was acknowledged, and nothing of it is wrong in the database."""
    return not any(found[name] for name in ("acknowledged", "duplicated", "unexpected"))


def lines(found: Result) -> list[str]:
    """What came of the search; nothing where there was none."""
    summary = found.get("find_max")
    return [f"{'highest rate':<13} {answer(summary)}"] if summary else []


def answer(summary: Result) -> str:
    """What came of a search, by what a result has under ``find_max``."""
    limit_ms = summary["p99_ms"]
    if summary["rate"] is None:
        found = f"no rate that was tried kept p99 below {limit_ms:g} ms; the report is of the last"
    else:
        found = f"{summary['rate']:,.0f} a second, the highest that was tried with p99 below {limit_ms:g} ms"
    return f"the search was stopped; until then: {found}" if summary["interrupted"] else found


def _is_close(low: float, high: float | None) -> bool:
    if high is None:
        return low >= MAX_RATE
    return high <= low * CLOSE or high < 1


def _next(low: float, high: float | None) -> float:
    """Twice as much while everything was kept, else the middle of what is known."""
    if high is None:
        return min(float(MAX_RATE), low * 2)
    return round((low + high) / 2, 2)


def _step(found: Result, limit_ms: float) -> str:
    p99_ms = found["latency_ms"]["p99"]
    p99 = "unknown" if p99_ms is None else f"{p99_ms:,.1f} ms"
    word = "kept" if keeps(found, limit_ms) else "not kept"
    limit = ", the load generator was the limit" if found["generator_was_the_limit"] else ""
    return f"{found['rate']:,.0f} a second: p99 {p99}, {word}{limit}; {found['verdict']}"


def _sum_up(results: list[Result], limit_ms: float, *, stopped: bool) -> Result:
    steps = [
        {
            "run": one["run"],
            "rate": one["rate"],
            "p99_ms": one["latency_ms"]["p99"],
            "kept": keeps(one, limit_ms),
            "generator_was_the_limit": one["generator_was_the_limit"],
            "verdict": one["verdict"],
        }
        for one in results
    ]
    verdicts = {one["verdict"] for one in results}
    worst = next(verdict for verdict in (INVALID, UNDECIDED, VALID) if verdict in verdicts)
    best = next((one for one in reversed(results) if keeps(one, limit_ms)), None)
    summary = {
        "p99_ms": limit_ms,
        "rate": best["rate"] if best else None,
        "interrupted": stopped,
        "steps": steps,
    }
    return {**(best or results[-1]), "verdict": worst, "find_max": summary}
