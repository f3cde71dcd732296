"""The balance: nothing is missed, and nothing is called missing that only moved between two readings."""

from dataclasses import replace

import pytest

from pipeline.clock import NS_PER_S
from tests.support.batches import NOON_NS
from tests.support.snapshots import RUN, entry, ledger
from web.baseline import BaselineFinder
from web.ledger import Balance, DiscrepancyWatch, Reconciler, balance, run_balance
from web.run_summary import as_json, summarize


@pytest.mark.parametrize(
    ("accepted", "waiting", "failed", "stored", "expected"),
    [
        (100, 0, 0, 100, Balance(100, 100, 0, 0)),
        (100, 20, 3, 77, Balance(100, 77, 20, 3)),
        (100, 20, 0, 90, Balance(100, 90, 10, 0)),  # ten of the waiting ones were stored in between
        (100, 5, 0, 107, Balance(107, 107, 0, 0)),  # and seven more were accepted and stored
        (100, 20, 0, 78, Balance(100, 78, 20, 0)),  # two are lost
        (None, 20, 1, 78, Balance(None, 78, 20, 1)),
    ],
)
def test_a_balance_of_two_readings(
    accepted: int | None, waiting: int, failed: int, stored: int, expected: Balance
) -> None:
    assert balance(accepted, waiting, failed, stored) == expected


def test_what_is_in_no_place_is_unaccounted_for() -> None:
    assert balance(100, 20, 0, 78).unaccounted == 2
    assert balance(100, 20, 0, 90).unaccounted == 0
    assert balance(None, 0, 0, 0).unaccounted is None


def test_more_stored_than_accepted_is_reported_once_nothing_else_can_explain_it() -> None:
    reconciler = Reconciler()
    assert reconciler.update(ledger(accepted=100), 101).unaccounted == 0  # accepted in between, perhaps
    assert reconciler.is_in_doubt
    reconciler.confirm(ledger(accepted=100))
    assert reconciler.update(ledger(accepted=110), 111).unaccounted == -1
    assert reconciler.is_in_doubt
    reconciler.confirm(ledger(accepted=110))
    assert reconciler.update(ledger(accepted=121), 121).unaccounted == 0
    assert not reconciler.is_in_doubt


def test_a_steady_load_between_two_readings_is_no_surplus() -> None:
    reconciler = Reconciler()
    for second in range(20):
        accepted = 1_000 * second
        found = reconciler.update(ledger(accepted=accepted), accepted + 40)
        assert found.unaccounted == 0
        assert found.accepted == found.stored
        reconciler.confirm(ledger(accepted=accepted + 50))


def test_while_messages_are_held_nothing_is_called_surplus() -> None:
    reconciler = Reconciler()
    for _ in range(3):
        assert reconciler.update(ledger(accepted=100, waiting=5, held_jobs=1), 101).unaccounted == 0
        assert not reconciler.is_in_doubt


def test_a_loss_is_over_once_a_later_reading_of_redis_shows_nothing_missing() -> None:
    reconciler = Reconciler()
    reconciler.update(ledger(accepted=101), 100)
    assert (reconciler.difference, reconciler.is_in_doubt) == (1, False)
    reconciler.update(ledger(accepted=101), 101)  # found, or another one was stored in between
    assert (reconciler.difference, reconciler.is_in_doubt) == (None, True)
    reconciler.confirm(ledger(accepted=102))  # the latter
    reconciler.update(ledger(accepted=102), 102)
    assert (reconciler.difference, reconciler.is_in_doubt) == (None, True)
    reconciler.confirm(ledger(accepted=102))  # the former
    reconciler.update(ledger(accepted=102), 102)
    assert (reconciler.difference, reconciler.is_in_doubt) == (0, False)


def test_what_a_worker_holds_may_be_stored_and_does_not_prove_that_nothing_is_missing() -> None:
    reconciler = Reconciler()
    reconciler.update(ledger(accepted=101), 100)
    reconciler.update(ledger(accepted=111, waiting=10, held_jobs=1), 110)
    assert (reconciler.difference, reconciler.is_in_doubt) == (None, True)
    reconciler.confirm(ledger(accepted=111, waiting=10, held_jobs=1))
    reconciler.update(ledger(accepted=111), 110)
    assert reconciler.difference == 1


def seconds(count: int) -> list[int]:
    return [NOON_NS + second * NS_PER_S for second in range(count)]


def test_a_difference_is_an_alarm_after_it_lasted_15_s_and_until_it_is_gone() -> None:
    watch = DiscrepancyWatch()
    found = [watch.update(at_ns, 3) for at_ns in seconds(20)]
    assert found[:14] == [None] * 14
    assert found[14]
    assert (found[14].messages, found[14].since_ns) == (3, NOON_NS)
    assert found[19]
    assert watch.update(NOON_NS + 20 * NS_PER_S, 0) is None
    assert watch.began_ns is None


def test_a_difference_that_comes_and_goes_is_no_alarm() -> None:
    watch = DiscrepancyWatch()
    values = [5 if second % 10 else 0 for second in range(100)]
    assert not any(map(watch.update, seconds(100), values))


def test_a_difference_that_changes_its_sign_begins_again() -> None:
    watch = DiscrepancyWatch()
    values = [5] * 10 + [-5] * 10
    assert not any(map(watch.update, seconds(20), values))


def test_only_as_much_as_was_missing_all_the_time_is_called_missing() -> None:
    watch = DiscrepancyWatch()
    values = [40 if second % 2 else 2 for second in range(16)]
    found = [watch.update(at_ns, value) for at_ns, value in zip(seconds(16), values, strict=True)]
    assert found[-1]
    assert found[-1].messages == 2


def test_seconds_without_a_reading_are_no_evidence() -> None:
    watch = DiscrepancyWatch()
    assert watch.update(NOON_NS, 3) is None
    assert watch.update(NOON_NS + 30 * NS_PER_S, None) is None
    assert watch.update(NOON_NS + 31 * NS_PER_S, 3) is None


def test_a_few_seconds_of_a_difference_are_no_alarm_because_nothing_is_known_afterwards() -> None:
    watch = DiscrepancyWatch()
    values = [3] * 10 + [None] * 30
    assert not any(map(watch.update, seconds(40), values))


def test_the_numbers_of_a_run_are_each_in_one_place() -> None:
    figures = replace(RUN, stored=100, highest=129)
    run = summarize("run-1", entry(accepted=120, waiting=10, failed=3, highest=129), figures)
    assert (run.stored, run.waiting, run.failed, run.lost, run.never_accepted) == (100, 10, 3, 7, 10)


def test_a_run_that_began_before_its_entry_has_an_unknown_number_of_accepted_messages() -> None:
    late = entry(accepted=20, first_arrived_ns=NOON_NS + 1)
    assert run_balance(late, RUN).accepted is None
    run = summarize("run-1", late, RUN)
    assert (run.accepted, run.lost, run.never_accepted, run.stored) == (None, None, None, 128)


def test_a_run_that_the_database_does_not_know_yet_waits() -> None:
    run = summarize("run-1", entry(accepted=10, waiting=10, highest=9), None)
    assert (run.stored, run.waiting, run.lost, run.never_accepted, run.highest) == (0, 10, 0, 0, 9)


def test_a_run_that_redis_does_not_have_is_known_by_the_database_alone() -> None:
    run = summarize("run-1", None, RUN)
    assert (run.accepted, run.waiting, run.failed, run.lost) == (None, None, None, None)
    assert (run.stored, run.highest, run.duplicates) == (128, 129, None)


def test_a_run_as_json_has_every_key_of_the_contract() -> None:
    assert as_json(summarize("run-1", entry(), RUN)) == {
        "id": "run-1",
        "label": "run-1",
        "accepted": 128,
        "stored": 128,
        "waiting": 0,
        "failed": 0,
        "lost": 0,
        "never_accepted": 2,
        "duplicates": 2,
        "highest_number": 129,
        "first_arrival_at": "2026-01-01T12:00:00.000000Z",
        "last_arrival_at": "2026-01-01T12:00:00.000000Z",
    }


def test_an_empty_system_has_its_baseline_at_once() -> None:
    finder = BaselineFinder()
    finder.update(ledger(accepted=None), 0)
    assert finder.found == 0


def test_after_an_upgrade_the_baseline_is_what_repeats_and_is_smallest() -> None:
    finder = BaselineFinder()
    for stored in (1_040, 1_000, 1_030):
        finder.update(ledger(accepted=None), stored)
        assert finder.found is None
    finder.update(ledger(accepted=None), 1_000)
    assert finder.found is None
    finder.update(ledger(accepted=None), 1_000)
    assert finder.found == 1_000
    finder.update(ledger(accepted=1_000), 1_000)
    assert finder.found is None


def test_messages_that_wait_and_were_not_counted_one_by_one_give_no_baseline() -> None:
    finder = BaselineFinder()
    for _ in range(10):
        finder.update(ledger(accepted=None, waiting=5, counted=False), 1_000)
    assert finder.found is None
