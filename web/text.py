"""Figures as text for the page; ``static/text.js`` says them in the same way."""

from collections.abc import Mapping

from pipeline.store import HISTOGRAM_MS

NOTHING = "–"
"""Stands where there is nothing to say."""


def whole(value: int | None) -> str:
    """A whole number."""
    return NOTHING if value is None else str(value)


def ms(value: float | None) -> str:
    """Milliseconds with as many decimals as one can use; a real minus where they are negative."""
    if value is None:
        return NOTHING
    decimals = 2 if abs(value) < 100 else 1 if abs(value) < 1_000 else 0
    return f"{value:.{decimals}f}".replace("-", "−")


_UNITS = (
    (10_000, "ms", 1),
    (600_000, "s", 1_000),
    (36_000_000, "min", 60_000),
    (864_000_000, "h", 3_600_000),
)


def duration(value: float | None) -> tuple[str, str]:
    """Milliseconds in a unit that leaves few digits, and that unit."""
    size = abs(value or 0)
    unit, length = next(
        ((unit, length) for below, unit, length in _UNITS if size < below), ("days", 86_400_000)
    )
    return ms(None if value is None else value / length), unit


def clock(moment: str | None) -> str:
    """The time of day, UTC, of an RFC 3339 moment."""
    return NOTHING if moment is None else f"{moment[11:19]} UTC"


def groups(value: int | None) -> list[str]:
    """The digits of a whole number in groups of three; joined they are the plain number again."""
    digits = whole(value)
    first = len(digits) % 3
    return [
        part for part in (digits[:first], *(digits[i : i + 3] for i in range(first, len(digits), 3))) if part
    ]


def bounds() -> list[str]:
    """The label of each bar of the histogram: how long, in ms, a message of it took at most."""
    return ["≤0", *(f"{bound:g}" for bound in HISTOGRAM_MS[1:-1]), "1 s", "1 s+"]


def clocks(clock: Mapping[str, float] | None) -> str:
    """How far the sender's and the consumer's clocks are apart."""
    if clock is None:
        return "How far the two clocks are apart is not known."
    difference = f"{ms(clock['offset_ms'])} ± {ms(clock['error_ms'])} ms"
    if abs(clock["offset_ms"]) <= clock["error_ms"]:
        return f"The sender's and the consumer's clocks agree, as far as their requests tell ({difference})."
    return (
        f"The consumer's clock minus the sender's: {difference}, "
        "estimated from the requests. No time is corrected by it."
    )


HOPS = (
    ("gateway", ("sent", "gateway has it")),
    ("consumer", ("gateway", "arrival at the consumer")),
    ("queue", ("arrival", "taken by a worker")),
    ("store", ("taken", "stored")),
)
"""From where to where each hop goes."""

FILTERS = {"whole": whole, "ms": ms, "clock": clock, "groups": groups, "clocks": clocks, "duration": duration}
