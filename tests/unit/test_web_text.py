"""Figures as the page says them."""

import pytest

from pipeline.store import HISTOGRAM_MS, HOPS
from web import text


@pytest.mark.parametrize(
    ("value", "said"),
    [(None, "–"), (0.0, "0.00"), (3.214, "3.21"), (123.456, "123.5"), (61_234.5, "61234"), (-12.5, "−12.50")],
)
def test_milliseconds_have_the_decimals_that_one_can_use(value: float | None, said: str) -> None:
    assert text.ms(value) == said


@pytest.mark.parametrize(
    ("value", "said"),
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
def test_long_times_are_told_in_larger_units(value: float | None, said: tuple[str, str]) -> None:
    assert text.duration(value) == said


def test_clocks_that_differ_less_than_can_be_told_agree() -> None:
    assert "agree" in text.clocks({"offset_ms": -1.59, "error_ms": 2.8})
    assert "minus the sender's: −3.00 ± 2.80 ms" in text.clocks({"offset_ms": -3.0, "error_ms": 2.8})
    assert "not known" in text.clocks(None)


@pytest.mark.parametrize(
    ("value", "groups"),
    [(None, ["–"]), (0, ["0"]), (999, ["999"]), (1_000, ["1", "000"]), (1_234_567, ["1", "234", "567"])],
)
def test_digits_stand_in_groups_of_three(value: int | None, groups: list[str]) -> None:
    assert text.groups(value) == groups


def test_times_are_utc_before_the_browser_makes_them_local() -> None:
    assert text.clock("2026-01-01T12:34:56.789Z") == "12:34:56 UTC"


def test_each_bar_and_each_hop_has_its_name() -> None:
    assert len(text.bounds()) == len(HISTOGRAM_MS) + 1
    assert tuple(hop for hop, _ in text.HOPS) == HOPS
