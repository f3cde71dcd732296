"""What every store promises (``pipeline.store.base.Store``)."""

from dataclasses import replace

import pytest
from msgspec import structs

from pipeline.clock import NS_PER_MS, NS_PER_S
from pipeline.message import MAX_BATCH, MAX_NUMBER, Arrival, Message
from pipeline.store import (
    HISTOGRAM_MS,
    NEWEST_RUNS,
    RunFigures,
    Store,
    StoredMessage,
    Totals,
    Window,
    WrittenBatch,
)
from pipeline.store.influx import run_totals
from tests.contract.conftest import Open
from tests.support.batches import NOON_NS, batch


def figures(store: Store) -> dict[str, RunFigures]:
    """The figures of every run, as a reader that starts now sees them."""
    return {run.run: run for run in store.runs(1_000)}


def whole_window(store: Store) -> Window:
    return store.window(NOON_NS - 60 * NS_PER_S, NOON_NS + 60 * NS_PER_S)


def test_an_empty_store_has_no_runs_and_an_empty_window(store: Store) -> None:
    assert figures(store) == {}
    assert whole_window(store) == Window(0)


def test_a_batch_is_stored_whole(store: Store) -> None:
    store.write([batch(range(10))])
    last_ns = NOON_NS + 9_000
    assert figures(store) == {"run-1": RunFigures("run-1", 10, 9, NOON_NS, last_ns, late=0)}
    assert figures(store)["run-1"].missing == 0


def test_what_was_written_is_seen_by_another_process_when_write_returns(open_store: Open) -> None:
    writer, reader = open_store(), open_store()
    writer.write([batch(range(10))])
    assert figures(reader)["run-1"].stored == 10


def test_writing_a_batch_twice_changes_nothing(store: Store) -> None:
    whole = batch(range(10))
    store.write([whole])
    once = figures(store), whole_window(store)
    store.write([whole])
    assert figures(store) == once[0]
    assert whole_window(store).count == once[1].count
    assert whole_window(store).mean_ms == once[1].mean_ms


def test_another_worker_may_write_the_same_batch_again(open_store: Open) -> None:
    whole = batch(range(10))
    open_store().write([whole])
    open_store().write([replace(whole, worker="worker-2", taken_ns=whole.taken_ns + NS_PER_S)])
    reader = open_store()
    assert figures(reader)["run-1"].stored == 10
    assert whole_window(reader).count == 10


def test_a_batch_may_be_written_again_in_parts(store: Store) -> None:
    whole = batch(range(10), job="job")
    store.write([whole])
    store.write([replace(whole, id="job.0", arrivals=whole.arrivals[:5])])
    store.write([replace(whole, id="job.1", arrivals=whole.arrivals[5:])])
    assert figures(store)["run-1"].stored == 10
    assert whole_window(store).count == 10


def test_a_reader_that_follows_sees_a_repeated_batch_once(open_store: Open) -> None:
    writer, reader = open_store(), open_store()
    whole = batch(range(10))
    writer.write([whole])
    assert reader.totals().stored == 10
    writer.write([whole])
    assert reader.totals().stored == 10
    writer.write([batch([10], at_ns=NOON_NS + NS_PER_S)])
    assert reader.totals().stored == 11


def test_a_late_batch_with_old_arrivals_is_counted(open_store: Open) -> None:
    writer, reader = open_store(), open_store()
    writer.write([batch(range(10, 20))])
    assert reader.totals().stored == 10
    long_ago_ns = NOON_NS - 2 * 3_600 * NS_PER_S
    writer.write([batch(range(10), at_ns=long_ago_ns)])
    run = figures(reader)["run-1"]
    assert (run.stored, run.highest, run.missing) == (20, 19, 0)
    assert run.first_arrived_ns == long_ago_ns
    assert run.last_arrived_ns == NOON_NS + 9_000


def test_following_and_starting_over_give_the_same_figures(open_store: Open) -> None:
    writer, reader = open_store(), open_store()
    for step in range(20):
        run = f"run-{step % 3}"
        at_ns = NOON_NS + (-1) ** step * step * 97 * NS_PER_S
        writer.write([batch([step, step + 40], run=run, at_ns=at_ns, transmission_ms=step * 100)])
        assert reader.totals().stored == 2 * (step + 1)
    assert figures(reader) == figures(open_store())


def test_gaps_are_counted_by_run(store: Store) -> None:
    store.write([batch([0, 1, 5], run="a")])
    store.write([batch([2, 3], run="b", at_ns=NOON_NS + NS_PER_S)])
    found = figures(store)
    assert {run: (f.highest, f.stored, f.missing) for run, f in found.items()} == {
        "a": (5, 3, 3),
        "b": (3, 2, 2),
    }


def test_a_batch_may_hold_several_runs(store: Store) -> None:
    first, second = batch(range(3), run="a"), batch(range(4), run="b", at_ns=NOON_NS + NS_PER_MS)
    store.write([replace(first, arrivals=first.arrivals + second.arrivals)])
    assert {run: f.stored for run, f in figures(store).items()} == {"a": 3, "b": 4}


def test_late_messages_are_counted_by_run(store: Store) -> None:
    store.write([batch([0], transmission_ms=1_000)])
    store.write([batch([1, 2], transmission_ms=1_000.001, at_ns=NOON_NS + NS_PER_S)])
    assert figures(store)["run-1"].late == 2


def test_the_largest_number_and_the_longest_run_are_kept_exactly(store: Store) -> None:
    run = "A.z_0:-" * 9 + "x"
    store.write([batch([MAX_NUMBER], run=run)])
    assert figures(store)[run].highest == MAX_NUMBER


def test_a_full_batch_is_stored(store: Store) -> None:
    store.write([batch(range(MAX_BATCH))])
    assert figures(store)["run-1"].stored == MAX_BATCH


def test_two_consumers_may_stamp_the_same_moment(store: Store) -> None:
    store.write([batch([0], consumer="consumer-1")])
    store.write([batch([1], consumer="consumer-2")])
    assert figures(store)["run-1"].stored == 2
    assert whole_window(store).count == 2


def test_a_window_holds_the_arrivals_after_its_start_up_to_its_end(store: Store) -> None:
    for offset_ns in (0, 1, 10 * NS_PER_S, 10 * NS_PER_S + 1):
        store.write([batch([offset_ns], at_ns=NOON_NS + offset_ns)])
    assert store.window(NOON_NS, NOON_NS + 10 * NS_PER_S).count == 2
    assert store.window(NOON_NS + 20 * NS_PER_S, NOON_NS + 30 * NS_PER_S) == Window(0)


def test_a_window_gives_mean_maximum_and_percentiles_by_nearest_rank(store: Store) -> None:
    for number in range(1, 201):
        store.write([batch([number], at_ns=NOON_NS + number * NS_PER_MS, transmission_ms=number)])
    window = whole_window(store)
    assert window.count == 200
    assert window.mean_ms == pytest.approx(100.5)
    assert (window.p50_ms, window.p95_ms, window.p99_ms, window.max_ms) == (100, 190, 198, 200)


def test_percentiles_of_few_values_are_values_that_occurred(store: Store) -> None:
    for number, transmission_ms in enumerate((1, 2, 40)):
        store.write([batch([number], at_ns=NOON_NS + number, transmission_ms=transmission_ms)])
    window = whole_window(store)
    assert (window.p50_ms, window.p95_ms, window.p99_ms, window.max_ms) == (2, 40, 40, 40)


def test_negative_transmission_times_are_kept_as_they_are(store: Store) -> None:
    store.write([batch([0], transmission_ms=-2.5)])
    store.write([batch([1], transmission_ms=0.5, at_ns=NOON_NS + NS_PER_MS)])
    window = whole_window(store)
    assert window.mean_ms == pytest.approx(-1.0)
    assert window.p50_ms == pytest.approx(-2.5)
    assert window.histogram[0] == 1


def test_the_histogram_counts_every_message_once(store: Store) -> None:
    times = [-1.0, 0.5, 0.6, 3.0, 999.0, 1_000.0, 5_000.0]
    for number, transmission_ms in enumerate(times):
        store.write([batch([number], at_ns=NOON_NS + number * NS_PER_MS, transmission_ms=transmission_ms)])
    counts = dict(zip((*HISTOGRAM_MS, None), whole_window(store).histogram, strict=True))
    assert sum(counts.values()) == len(times)
    assert (counts[0.0], counts[0.5], counts[1.0], counts[3.0], counts[1_000.0], counts[None]) == (
        1,
        1,
        1,
        1,
        2,
        1,
    )


def test_hops_add_up_to_the_way_of_a_message(store: Store) -> None:
    whole = batch([0], transmission_ms=3)
    store.write([whole])
    taken_ns = NOON_NS + 2 * NS_PER_MS
    store.record_stored([whole.id], taken_ns + 7 * NS_PER_MS)
    gateway_ms, consumer_ms, queue_ms, store_ms = whole_window(store).hops_ms
    assert [gateway_ms, consumer_ms, queue_ms] == pytest.approx([1, 2, 2])
    assert store_ms == pytest.approx(7)


def test_a_message_without_a_gateway_has_no_gateway_hop(store: Store) -> None:
    bare = batch([0])
    store.write([replace(bare, arrivals=(Arrival(Message("run-1", 0, NOON_NS, None), NOON_NS),))])
    assert whole_window(store).hops_ms[:2] == (None, None)


def test_a_message_without_a_gateway_makes_the_hops_of_others_no_shorter(store: Store) -> None:
    store.write([batch([0], transmission_ms=3)])
    bare, at_ns = batch([1]), NOON_NS + 1_000
    store.write([replace(bare, arrivals=(Arrival(Message("run-1", 1, at_ns - NS_PER_MS, None), at_ns),))])
    gateway_ms, consumer_ms = whole_window(store).hops_ms[:2]
    assert gateway_ms == pytest.approx(1)
    assert consumer_ms is None or consumer_ms == pytest.approx(2), "unknown rather than wrong"


def test_a_closed_store_opens_again_by_itself(store: Store) -> None:
    store.write([batch([0])])
    store.close()
    store.close()
    store.write([batch([1], at_ns=NOON_NS + 1)])
    assert figures(store)["run-1"].stored == 2


def test_totals_are_over_all_runs_and_name_the_newest(open_store: Open) -> None:
    writer, reader = open_store(), open_store()
    assert reader.totals() == Totals(0, None, None, ())
    for index in range(NEWEST_RUNS + 2):
        writer.write([batch(range(index + 1), run=f"run-{index}", at_ns=NOON_NS + index * NS_PER_S)])
        totals = reader.totals()
        assert totals.stored == sum(range(index + 2))
        assert (totals.highest, totals.last_arrived_ns) == (index, NOON_NS + index * NS_PER_S + index * 1_000)
    shown = [f"run-{index}" for index in range(NEWEST_RUNS + 1, 1, -1)]
    assert [run.run for run in totals.runs] == shown
    assert {run.run: run for run in totals.runs} == {run: figures(reader)[run] for run in shown}
    assert reader.totals() == reader.totals(recount=True) == open_store().totals() == totals


def test_totals_count_a_repeated_batch_once_and_a_late_one_where_it_belongs(open_store: Open) -> None:
    writer, reader = open_store(), open_store()
    writer.write([batch(range(10), run="a")])
    repeated = batch(range(5), run="b", at_ns=NOON_NS + NS_PER_S)
    for _ in range(3):
        writer.write([repeated])
        assert reader.totals().stored == 15
    writer.write([batch(range(10, 12), run="a", at_ns=NOON_NS + 2 * NS_PER_S)])
    writer.write([batch(range(5, 9), run="b", at_ns=NOON_NS - NS_PER_S)])
    totals = reader.totals()
    assert (totals.stored, totals.highest) == (21, 11)
    assert totals.last_arrived_ns == NOON_NS + 2 * NS_PER_S + 1_000
    assert [run.run for run in totals.runs] == ["a", "b"]


def test_a_write_returns_what_it_added_and_a_repeat_of_the_same_job_is_none(store: Store) -> None:
    whole = batch(range(10), job="job")
    assert store.write([whole, batch([3], run="b", at_ns=NOON_NS + NS_PER_S, job="other")]) == {
        "job": WrittenBatch({"run-1": 10}),
        "other": WrittenBatch({"b": 1}),
    }
    again = store.write([whole])["job"]
    assert again.repeats == {}
    half = store.write([replace(whole, id="job.1", arrivals=whole.arrivals[5:])])["job.1"]
    assert half.repeats == {}


def test_holes_are_the_numbers_from_0_to_the_highest_that_are_not_stored(store: Store) -> None:
    assert store.holes("run-1", 10) == []
    store.write([batch([2, 3, 7, 11, 12]), batch([0], run="b", at_ns=NOON_NS + NS_PER_S)])
    assert list(store.holes("run-1", 10)) == [(8, 10), (4, 6), (0, 1)]
    assert list(store.holes("run-1", 2)) == [(8, 10), (4, 6)]
    assert list(store.holes("b", 10)) == []
    assert list(store.holes("none", 10)) == []


def test_a_hole_may_be_as_large_as_numbers_are(store: Store) -> None:
    store.write([batch([MAX_NUMBER])])
    assert list(store.holes("run-1", 10)) == [(0, MAX_NUMBER - 1)]


def test_one_message_is_found_with_all_its_times(store: Store) -> None:
    whole = batch([5, 6, 7], job="job")
    store.write([whole])
    arrived = whole.arrivals[1]
    stored_ns = NOON_NS + 9 * NS_PER_MS
    store.record_stored(["job"], stored_ns)
    store.record_stored(["job"], stored_ns)
    assert store.message("run-1", 6) == StoredMessage(
        run="run-1",
        number=6,
        sent_ns=arrived.message.sent_ns,
        gateway_ns=arrived.message.gateway_ns,
        arrived_ns=arrived.arrived_ns,
        queued_ns=whole.queued_ns,
        taken_ns=whole.taken_ns,
        stored_ns=stored_ns,
        job="job",
        worker="worker-1",
        consumer="consumer-1",
    )
    assert store.message("run-1", 8) is None
    assert store.message("none", 6) is None


def test_a_message_without_a_gateway_is_found_without_its_time(store: Store) -> None:
    direct = batch([0])
    message = structs.replace(direct.arrivals[0].message, gateway_ns=None)
    store.write([replace(direct, arrivals=(structs.replace(direct.arrivals[0], message=message),))])
    found = store.message("run-1", 0)
    assert found
    assert (found.gateway_ns, found.arrived_ns, found.stored_ns) == (None, NOON_NS, None)


def test_runs_are_listed_by_what_was_stored_last(store: Store) -> None:
    assert list(store.runs(10)) == []
    for index, run in enumerate(("old", "middle", "new")):
        store.write([batch([0], run=run, at_ns=NOON_NS + index * NS_PER_S)])
    store.write([batch([1], run="old", at_ns=NOON_NS + 60 * NS_PER_S)])
    assert [run.run for run in store.runs(10)] == ["old", "new", "middle"]
    assert [(run.run, run.stored, run.highest) for run in store.runs(1)] == [("old", 2, 1)]


def test_a_run_has_its_figures_however_many_came_after_it(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_totals, "MAX_KEPT", 2)
    for index, run in enumerate(("old", "middle", "new")):
        store.write([batch(range(3), run=run, at_ns=NOON_NS + index * NS_PER_S, transmission_ms=20_000.0)])
    store.write([batch([7], run="old", at_ns=NOON_NS + NS_PER_S // 2, job="another")])
    store.runs(10)
    found = store.run("old")
    assert found
    assert (found.stored, found.highest, found.late) == (4, 7, 3)
    assert (found.first_arrived_ns, found.last_arrived_ns) == (NOON_NS, NOON_NS + NS_PER_S // 2)
    assert store.run("unknown") is None


def test_a_deleted_run_leaves_nothing_and_the_others_stay(open_store: Open) -> None:
    store, reader = open_store(), open_store()
    store.write([batch(range(10), run="gone"), batch(range(5), at_ns=NOON_NS + NS_PER_S, job="kept")])
    assert reader.totals().stored == 15
    assert sum(store.delete_run("gone")) == 10
    assert figures(open_store()).keys() == {"run-1"}
    assert reader.totals().stored == 5
    assert (reader.totals().highest, [run.run for run in reader.totals().runs]) == (4, ["run-1"])
    assert store.message("gone", 3) is None
    assert store.message("run-1", 3)
    assert sum(store.delete_run("gone")) == 0
    store.write([batch([0], run="gone", at_ns=NOON_NS + 2 * NS_PER_S)])
    assert reader.totals().stored == 6
    assert figures(open_store())["gone"].stored == 1
