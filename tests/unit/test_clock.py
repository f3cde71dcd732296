from datetime import UTC, datetime, timedelta, timezone

import pytest

from pipeline.clock import to_ns, to_rfc3339


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "1970-01-01T00:00:00.000000Z"),
        (1_767_268_800_123_456_789, "2026-01-01T12:00:00.123456Z"),
        (1_767_268_799_999_999_999, "2026-01-01T11:59:59.999999Z"),
    ],
)
def test_times_are_written_as_rfc_3339_in_utc(ns: int, text: str) -> None:
    assert to_rfc3339(ns) == text


def test_milliseconds_are_cut_not_rounded_up() -> None:
    assert to_rfc3339(1_999_999_999, timespec="milliseconds") == "1970-01-01T00:00:01.999Z"


def test_datetimes_become_nanoseconds_exactly_whatever_their_zone() -> None:
    moment = datetime(2199, 12, 31, 23, 59, 59, 999_999, UTC)
    assert to_ns(moment) == 7_258_118_399_999_999_000
    assert to_ns(moment.astimezone(timezone(timedelta(hours=5, minutes=30)))) == to_ns(moment)
