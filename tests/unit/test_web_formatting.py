"""Values as the page shows them."""

from dataclasses import replace

import pytest

from pipeline.message import ClockOffset
from pipeline.store import HISTOGRAM_MS, HOPS
from tests.support.snapshots import RUN, WINDOW, entry
from web import formatting
from web.ledger import Balance
from web.run_summary import summarize


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
        "Clock difference −1.59 ms ± 2.80 ms: within error."
    )
    assert "minus the sender's: −3.00 ms ± 2.80 ms" in formatting.clock_difference(
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
    assert tuple(hop for hop, _ in formatting.HOPS if hop != "persist") == HOPS


@pytest.mark.parametrize(
    ("balance", "text"),
    [
        (Balance(134_220, 134_200, 20, 0), "134,220 accepted = 134,200 stored + 20 waiting + 0 failed"),
        (Balance(12, 9, 0, 1), "12 accepted = 9 stored + 0 waiting + 1 failed + 2 unaccounted for"),
        (Balance(9, 10, 0, 0), "9 accepted = 10 stored + 0 waiting + 0 failed − 1 unaccounted for"),
        (Balance(None, 10, 0, 0), "10 stored, 0 waiting, 0 failed; accepted is being counted"),
        (
            Balance(12, None, 2, 0),
            "12 accepted, 2 waiting, 0 failed; what is stored can't be read (last known: 7)",
        ),
        (Balance(None, 10, None, None), "10 stored; what is accepted, waiting and failed can't be read"),
    ],
)  # fmt: skip
def test_the_ledger_is_a_sentence_with_numbers(balance: Balance, text: str) -> None:
    assert formatting.ledger(balance, 7) == text


def test_a_run_shows_where_its_messages_are_and_leaves_out_what_is_zero() -> None:
    quiet = summarize("run-1", entry(accepted=130, duplicates=None), replace(RUN, stored=130, late=0))
    assert formatting.run_parts(quiet) == (("130 stored", ""),)
    run = summarize("run-1", entry(accepted=120, waiting=10, failed=3), replace(RUN, stored=100))
    assert formatting.run_parts(run) == (
        ("100 stored", ""),
        ("10 on their way", ""),
        ("3 failed", "lost"),
        ("7 lost", "lost"),
        ("10 never accepted", "soft"),
        ("2 sent again", "soft"),
        ("1 late", "soft"),
    )


def test_what_the_average_leaves_out_is_reported() -> None:
    assert formatting.average_note(WINDOW) == ""
    assert formatting.average_note(None) == ""
    assert formatting.average_note(replace(WINDOW, left_out=2)) == (
        "2 of 5 messages left out: sent more than a minute before or after they arrived"
    )


def test_an_average_outside_its_percentiles_is_explained() -> None:
    assert "raise the average above" in formatting.average_note(replace(WINDOW, mean_ms=40.0))


@pytest.mark.parametrize(
    ("count", "text"), [(0, ""), (7, "7"), (999, "999"), (1_234, "1.2K"), (999_960, "1M"), (2_000_000, "2M")]
)
def test_counts_of_bars_are_compact(count: int, text: str) -> None:
    assert formatting.compact(count) == text


def test_messages_that_arrived_before_they_were_sent_are_pointed_out() -> None:
    assert formatting.histogram_note(0) == "ms; labels are upper limits, and the steps between them grow"
    assert formatting.histogram_note(3) == "3 arrived before they were sent: the clocks differ"
