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
