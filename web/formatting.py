"""Every number and sentence of the page, as text. Times of day alone are formatted by the browser."""

from itertools import pairwise

from pipeline.clock import NS_PER_MS
from pipeline.message import ClockOffset
from pipeline.store import HISTOGRAM_MS

PLACEHOLDER = "–"
"""The text where a value is unknown."""

LIVE = "Live"
LIVE_NEGATIVE = "Live; negative times: the clocks of two services differ."
NO_MESSAGE_YET = "No message has arrived yet."
NO_MESSAGE_SINCE = "No message has arrived since {time}."
"""``{time}`` stands for a time of day."""

HOPS = (
    ("gateway", ("sent", "gateway has it")),
    ("consumer", ("gateway", "arrival at the consumer")),
    ("queue", ("arrival", "dequeued by a worker")),
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
    return "ms; labels are upper limits"


def clock_difference(clock: ClockOffset | None) -> str:
    """The consumer's clock minus the sender's, with its maximum error."""
    if clock is None:
        return "The clock difference is not known."
    offset_ms, error_ms = clock.offset_ns / NS_PER_MS, clock.error_ns / NS_PER_MS
    difference = f"{ms(offset_ms)} ± {ms(error_ms)} ms"
    if abs(offset_ms) <= error_ms:
        return f"Clock difference {difference}: within error."
    return (
        f"Clock difference, the consumer's clock minus the sender's: {difference}, "
        "estimated from the requests. No time is corrected by it."
    )


def unreadable(source: str, reason: str) -> str:
    """Why a source (``database``, ``queue``) can't be read."""
    return f"The {source} can't be read: {reason}"


def faults(error: str | None, *, redis_reachable: bool, run: str | None, lost: int) -> str:
    """What is wrong, most serious first; empty where nothing is."""
    sentences = []
    if error:
        sentences.append(f"{error}. Totals are the last known ones.")
    if not redis_reachable:
        sentences.append("Redis unreachable.")
    if lost:
        sentences.append(f"Missing in run {run}: {lost}.")
    return " ".join(sentences)
