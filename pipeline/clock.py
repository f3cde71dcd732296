"""Time: integer nanoseconds internally, RFC 3339 in interfaces."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000
NS_PER_US = 1_000

Clock = Callable[[], int]
"""A clock: Unix time in nanoseconds, such as ``time.time_ns``."""

_DIGITS = {"microseconds": 6, "milliseconds": 3}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_rfc3339(ns: int, *, timespec: str = "microseconds") -> str:
    """Unix nanoseconds as RFC 3339 in UTC, e.g. ``2026-01-01T00:00:00.000000Z``."""
    seconds, rest = divmod(ns, NS_PER_S)
    digits = _DIGITS[timespec]
    return f"{_second(seconds)}.{rest // 10 ** (9 - digits):0{digits}d}Z"


@lru_cache(maxsize=16)
def _second(seconds: int) -> str:
    """Most times that are written in a row are of the same second."""
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat()


def to_ns(moment: datetime) -> int:
    """An aware datetime as Unix nanoseconds, exact to the microsecond (without floats)."""
    passed = moment - _EPOCH
    return ((passed.days * 86_400 + passed.seconds) * 1_000_000 + passed.microseconds) * NS_PER_US
