"""Every number and sentence of the page, as text. Times of day alone are formatted by the browser."""

from functools import lru_cache
from itertools import pairwise

from pipeline.clock import NS_PER_MS
from pipeline.message import ClockOffset
from pipeline.store import HISTOGRAM_MS, Window
from web.ledger import Balance
from web.queue_reader import QueueSample
from web.run_summary import RunSummary

PLACEHOLDER = "–"
"""The text where a value is unknown."""

LIVE = "Live"

HOPS = (
    ("gateway", ("sent", "gateway has it")),
    ("consumer", ("gateway", "arrival at the consumer")),
    ("persist", ("arrival", "persisted in Redis")),
    ("queue", ("persisted", "dequeued by a worker")),
    ("store", ("dequeued", "stored")),
)
"""Where each hop begins and ends."""

_UNITS = (
    (10_000, "ms", 1),
    (600_000, "s", 1_000),
    (36_000_000, "min", 60_000),
    (864_000_000, "h", 3_600_000),
)


def whole(value: int | None) -> str:
    """A whole number."""
    return PLACEHOLDER if value is None else str(value)


def count(value: int | None) -> str:
    """A whole number with its thousands apart: ``1,234``."""
    return PLACEHOLDER if value is None else f"{value:,}"


@lru_cache(maxsize=1024)
def compact(value: int) -> str:
    """A count in few digits: ``999``, ``1.2K``, ``10M``; empty for 0."""
    scaled, units = float(value), ["", "K", "M", "B"]
    while round(scaled, 1) >= 1_000 and len(units) > 1:
        scaled, units = scaled / 1_000, units[1:]
    return f"{round(scaled, 1):g}{units[0]}" if value else ""


def ms(value: float | None) -> str:
    """Milliseconds with at most two decimals; a real minus sign where they are negative."""
    if value is None:
        return PLACEHOLDER
    decimals = 2 if abs(value) < 100 else 1 if abs(value) < 1_000 else 0
    return f"{value:.{decimals}f}".replace("-", "−")


def duration(value: float | None) -> tuple[str, str]:
    """Milliseconds in a unit that leaves few digits, and that unit."""
    size = abs(value or 0)
    unit, length = next(
        ((unit, length) for below, unit, length in _UNITS if size < below), ("days", 86_400_000)
    )
    return ms(None if value is None else value / length), unit


def groups(value: int | None) -> list[str]:
    """The digits of a whole number in groups of three; joined they are the plain number again."""
    digits = whole(value)
    first = len(digits) % 3
    return [
        group
        for group in (digits[:first], *(digits[i : i + 3] for i in range(first, len(digits), 3)))
        if group
    ]


def time_of_day(moment: str | None) -> str:
    """The time of day, UTC, of an RFC 3339 moment, until the browser shows it in its own zone."""
    return PLACEHOLDER if moment is None else f"{moment[11:19]} UTC"


def histogram_bars() -> list[tuple[str, str]]:
    """For each bar of the histogram its label, which is its upper limit, and its range."""
    labels = ["≤0", *(f"{bound:g}" for bound in HISTOGRAM_MS[1:-1]), "1 s", "1 s+"]
    ranges = [
        f"{HISTOGRAM_MS[0]:g} ms or less",
        *(f"{low:g} to {high:g} ms" for low, high in pairwise(HISTOGRAM_MS)),
        f"more than {HISTOGRAM_MS[-1]:g} ms",
    ]
    return list(zip(labels, ranges, strict=True))


def histogram_note(negative: int) -> str:
    """How to read the histogram; a warning where messages arrived before they were sent."""
    if negative:
        return f"{negative} arrived before they were sent: the clocks differ"
    return "ms; labels are upper limits, and the steps between them grow"


def clock_difference(clock: ClockOffset | None) -> str:
    """The consumer's clock minus the sender's, with its maximum error."""
    if clock is None:
        return "The clock difference is not known."
    offset_ms, error_ms = clock.offset_ns / NS_PER_MS, clock.error_ns / NS_PER_MS
    difference = f"{with_unit(offset_ms)} ± {with_unit(error_ms)}"
    if abs(offset_ms) <= error_ms:
        return f"Clock difference {difference}: within error."
    return (
        f"Clock difference, the consumer's clock minus the sender's: {difference}, "
        "estimated from the requests. No time is corrected by it."
    )


def unreadable(source: str, reason: str) -> str:
    """Why a source (``database``, ``queue``) can't be read."""
    return f"{'Redis' if source == 'queue' else f'The {source}'} can't be read: {reason}"


def with_unit(value: float | None) -> str:
    """Milliseconds with a unit that leaves few digits: ``3.21 ms``, ``12.00 s``."""
    text, unit = duration(value)
    return PLACEHOLDER if value is None else f"{text} {unit}"


def average_note(window: Window | None) -> str:
    """What the average does not cover, and why it may lie outside its percentiles; mostly empty."""
    if window is None:
        return ""
    notes = []
    if window.left_out:
        notes.append(
            f"{window.left_out:,} of {window.count + window.left_out:,} messages left out: sent more than a "
            "minute before or after they arrived"
        )
    if window.mean_ms is not None and window.p95_ms is not None and window.mean_ms > window.p95_ms:
        notes.append("A few very slow messages raise the average above the 95th percentile")
    return ". ".join(notes)


def ledger(balance: Balance, last_stored: int | None) -> str:
    """The balance of all messages in one sentence."""
    waiting, failed = _count(balance.waiting, "waiting"), _count(balance.failed, "failed")
    if balance.waiting is None or balance.failed is None:
        return f"{_count(balance.stored, 'stored')}; what is accepted, waiting and failed can't be read"
    if balance.stored is None:
        known = "" if last_stored is None else f" (last known: {last_stored:,})"
        accepted = _count(balance.accepted, "accepted")
        return f"{accepted}, {waiting}, {failed}; what is stored can't be read{known}"
    if balance.accepted is None:
        return f"{_count(balance.stored, 'stored')}, {waiting}, {failed}; accepted is being counted"
    return (
        f"{_count(balance.accepted, 'accepted')} = {_count(balance.stored, 'stored')} + {waiting} + {failed}"
        f"{_difference(balance.unaccounted or 0)}"
    )


@lru_cache(maxsize=64)
def run_parts(run: RunSummary | None) -> tuple[tuple[str, str], ...]:
    """Where the numbers of one run are: texts, and how each is marked (``lost``, ``soft`` or not at all).

    What there is none of is left out, except what is stored.
    """
    if run is None:
        return ()
    rest = (
        (run.waiting, "on their way", ""),
        (run.failed, "failed", "lost"),
        (run.lost, "lost", "lost"),
        (run.never_accepted, "never accepted", "soft"),
        (run.duplicates, "sent again", "soft"),
        (run.late, "late", "soft"),
    )
    return (
        (_count(run.stored, "stored"), ""),
        *((_count(count, what), mark) for count, what, mark in rest if count),
    )


def failed_count(failed: int | None, queue: QueueSample | None) -> str:
    """The heading of the list of failed messages."""
    jobs = queue.failed.jobs if queue and queue.failed else 0
    return f"{_count(failed, 'failed messages')} in {jobs:,} {'job' if jobs == 1 else 'jobs'}"


def _count(value: int | None, what: str) -> str:
    return f"{count(value)} {what}"


def _difference(unaccounted: int) -> str:
    if not unaccounted:
        return ""
    return f" {'+' if unaccounted > 0 else '−'} {abs(unaccounted):,} unaccounted for"
