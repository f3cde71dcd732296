"""Readable names of runs, and moments in sentences."""

import pytest

from load.command import _new_run
from producer.__main__ import new_run
from tests.support.batches import NOON_NS
from web.moments import plain, token
from web.run_label import label, sender


def test_the_producers_runs_are_named_by_their_start() -> None:
    run = new_run(NOON_NS)
    assert plain(label(run), zone="") == "producer · 12:00:00"
    assert sender(run) == "producer"


def test_the_runs_of_a_load_are_named_by_their_start() -> None:
    run = _new_run()
    assert label(run).startswith("load · {20")
    assert plain(label(run), zone="").startswith("load · ")
    assert "{" not in plain(label(run))
    assert sender(run) == "load"


@pytest.mark.parametrize(
    "run",
    [
        *("manual", "load-1", "2026-01-01", "load-20260101T120000.000Z-xyz"),
        *("2026-13-01T00:00:00.000Z-abcd", "load-20260230T120000.000Z-abcdef"),  # there is no such day
    ],
)
def test_any_other_run_is_named_by_its_id(run: str) -> None:
    assert (label(run), sender(run)) == (run, "sender")


def test_a_moment_in_a_sentence_is_utc_for_programs() -> None:
    assert plain(f"since {token(NOON_NS)}.") == "since 12:00:00 UTC."
    assert plain("a {brace} stays") == "a {brace} stays"
