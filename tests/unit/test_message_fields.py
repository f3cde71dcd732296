"""The time of a message in nanoseconds, whichever way it is written."""

import random
from datetime import UTC, datetime, timedelta, timezone

import pytest

from gateway.message_fields import sent_ns_of

NS_PER_US = 1_000


def expected_ns(moment: datetime) -> int:
    return ((moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)) * NS_PER_US


@pytest.mark.parametrize("zone", ["Z", "z", "+05:30", "-11:00", "+00:00"])
@pytest.mark.parametrize("digits", [0, 1, 3, 5, 6])
def test_every_way_to_write_a_time_is_read_exactly(zone: str, digits: int) -> None:
    chance = random.Random(f"{zone}{digits}")
    for _ in range(200):
        hours = {"Z": 0, "z": 0, "+00:00": 0, "+05:30": 5.5, "-11:00": -11}[zone]
        moment = datetime(1971, 1, 1, tzinfo=timezone(timedelta(hours=hours))) + timedelta(
            seconds=chance.randrange(7_200_000_000), microseconds=chance.randrange(1_000_000)
        )
        unit = 10 ** (6 - digits)
        moment = moment.replace(microsecond=moment.microsecond // unit * unit)
        fraction = f".{moment.microsecond:06d}"[: digits + 1] if digits else ""
        assert sent_ns_of(f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}{zone}") == expected_ns(moment)


@pytest.mark.parametrize("fraction", ["", ".5", ".123456"])
def test_a_day_that_its_month_does_not_have_is_no_time(fraction: str) -> None:
    assert sent_ns_of(f"2026-02-30T12:00:00{fraction}Z") is None
    assert sent_ns_of(f"2026-02-28T12:00:00{fraction}Z") is not None
