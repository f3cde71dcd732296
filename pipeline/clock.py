"""Time: integer nanoseconds internally, RFC 3339 in interfaces."""

from collections.abc import Callable
from datetime import UTC, datetime

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000
NS_PER_US = 1_000

Clock = Callable[[], int]
"""A clock: Unix time in nanoseconds, such as ``time.time_ns``."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_rfc3339(ns: int, *, timespec: str = "microseconds") -> str:
    """Unix nanoseconds as RFC 3339 in UTC, e.g. ``2026-01-01T00:00:00.000000Z``."""
    seconds, rest = divmod(ns, NS_PER_S)
    moment = datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // NS_PER_US)
    return moment.isoformat(timespec=timespec).replace("+00:00", "Z")


def to_ns(moment: datetime) -> int:
    """An aware datetime as Unix nanoseconds, exact to the microsecond (without floats)."""
    passed = moment - _EPOCH
    return ((passed.days * 86_400 + passed.seconds) * 1_000_000 + passed.microseconds) * NS_PER_US
