"""Values as the page shows them."""

import pytest

from pipeline.message import ClockOffset
from pipeline.store import HISTOGRAM_MS, HOPS
from web import formatting


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0.0, "0.00"), (3.214, "3.21"), (123.456, "123.5"), (61_234.5, "61234"), (-12.5, "−12.50")],
)
def test_milliseconds_have_at_most_two_decimals(value: float | None, text: str) -> None:
    assert formatting.ms(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ("–", "ms")),
        (3.214, ("3.21", "ms")),
        (-9_999.0, ("−9999", "ms")),
        (10_000.0, ("10.00", "s")),
        (600_000.0, ("10.00", "min")),
        (36_000_000.0, ("10.00", "h")),
        (-864_000_000_000.0, ("−10000", "days")),
    ],
)
def test_long_times_have_larger_units(value: float | None, text: tuple[str, str]) -> None:
    assert formatting.duration(value) == text


def test_a_clock_difference_below_its_error_is_within_error() -> None:
    assert formatting.clock_difference(ClockOffset("run-1", -1_590_000, 2_800_000)) == (
        "Clock difference −1.59 ± 2.80 ms: within error."
    )
    assert "minus the sender's: −3.00 ± 2.80 ms" in formatting.clock_difference(
        ClockOffset("run-1", -3_000_000, 2_800_000)
    )
    assert "not known" in formatting.clock_difference(None)


@pytest.mark.parametrize(
    ("value", "groups"),
    [(None, ["–"]), (0, ["0"]), (999, ["999"]), (1_000, ["1", "000"]), (1_234_567, ["1", "234", "567"])],
)
def test_digits_are_in_groups_of_three(value: int | None, groups: list[str]) -> None:
    assert formatting.groups(value) == groups


def test_times_are_utc_before_the_browser_makes_them_local() -> None:
    assert formatting.time_of_day("2026-01-01T12:34:56.789Z") == "12:34:56 UTC"


def test_each_bar_and_each_hop_has_its_name() -> None:
    assert len(formatting.histogram_bars()) == len(HISTOGRAM_MS) + 1
    assert tuple(hop for hop, _ in formatting.HOPS) == HOPS


@pytest.mark.parametrize(
    ("count", "text"), [(0, ""), (7, "7"), (999, "999"), (1_234, "1.2K"), (999_960, "1M"), (2_000_000, "2M")]
)
def test_counts_of_bars_are_compact(count: int, text: str) -> None:
    assert formatting.compact(count) == text


def test_messages_that_arrived_before_they_were_sent_are_pointed_out() -> None:
    assert formatting.histogram_note(0) == "ms; labels are upper limits"
    assert formatting.histogram_note(3) == "3 arrived before they were sent: the clocks differ"
