"""What the page needs of a store: robust windows, the active run, and whose the highest number is."""

from contextlib import closing
from dataclasses import replace

import pytest

from pipeline.clock import NS_PER_MS, NS_PER_S
from pipeline.message import ClockOffset
from pipeline.store import Store, Window
from pipeline.store.influx import InfluxStore
from pipeline.store.influx.client import InfluxClient
from tests.contract.conftest import Open
from tests.support.batches import NOON_NS, batch
from tests.support.influxdb import InfluxServer

MINUTE_MS = 60_000.0


def window(store: Store, **clocks: ClockOffset) -> Window:
    return store.window(NOON_NS - NS_PER_S, NOON_NS + 10 * NS_PER_S, clocks)


def write(store: Store, run: str, transmission_ms: float, second: float = 0) -> None:
    """One message of ``run`` that arrived then."""
    at_ns = NOON_NS + round(second * NS_PER_S)
    store.write([batch([0], run=run, at_ns=at_ns, transmission_ms=transmission_ms)])


def test_a_message_that_is_more_than_a_minute_off_is_counted_apart(store: Store) -> None:
    write(store, "a", 3.0)
    write(store, "late", MINUTE_MS + 1, 1)
    write(store, "early", -MINUTE_MS - 1, 2)
    found = window(store)
    assert (found.count, found.left_out) == (1, 2)
    assert (found.mean_ms, found.max_ms, found.p50_ms) == pytest.approx((3.0, 3.0, 3.0))
    assert sum(found.histogram) == 1
    assert found.hops_ms[0] == pytest.approx(1.0)
    assert window(store).last_early_ns == pytest.approx(NOON_NS + 2 * NS_PER_S, abs=1_000)


def test_a_message_that_is_just_a_minute_off_counts(store: Store) -> None:
    write(store, "a", MINUTE_MS)
    assert (window(store).count, window(store).left_out) == (1, 0)


def test_the_known_clock_difference_of_a_sender_is_not_counted_against_it(store: Store) -> None:
    hour_ms = 3_600_000.0
    write(store, "fast", -hour_ms)
    write(store, "b", 3.0, 1)
    assert window(store).left_out == 1
    clock = ClockOffset("fast", -round(hour_ms) * NS_PER_MS, NS_PER_MS)
    found = window(store, fast=clock)
    assert (found.count, found.left_out) == (2, 0)
    assert found.mean_ms == pytest.approx((3.0 - hour_ms) / 2)
    wrong = ClockOffset("b", round(hour_ms) * NS_PER_MS, NS_PER_MS)
    assert window(store, b=wrong, fast=clock).left_out == 1
    unsure = replace(clock, error_ns=2 * 3_600 * NS_PER_S)
    assert window(store, fast=unsure).left_out == 1
    tiny = ClockOffset("b", 50, 0)
    assert window(store, b=tiny).left_out == 1


def test_where_all_is_left_out_there_is_no_average(store: Store) -> None:
    write(store, "late", 2 * MINUTE_MS)
    found = window(store)
    assert (found.count, found.left_out, found.mean_ms, found.p99_ms) == (0, 1, None, None)


def test_the_last_message_that_arrived_before_it_was_sent_is_known(store: Store) -> None:
    write(store, "a", 3.0)
    assert window(store).last_early_ns is None
    write(store, "b", -5.0, 2)
    write(store, "c", 3.0, 4)
    assert window(store).last_early_ns == pytest.approx(NOON_NS + 2 * NS_PER_S, abs=1_000)


def test_the_way_into_redis_is_measured_apart_from_the_wait_for_a_worker(store: Store) -> None:
    one = batch([0])  # queued 1 ms after it arrived, taken after 2 ms
    store.write([one])
    store.record_stored([one.id], one.taken_ns + NS_PER_MS)
    found = window(store)
    assert found.persist_ms == pytest.approx(1.0)
    assert found.hops_ms[2] == pytest.approx(2.0)


@pytest.mark.influx
def test_points_of_a_version_that_did_not_measure_the_way_into_redis_leave_it_unknown(
    influx_server: InfluxServer,
) -> None:
    settings = influx_server.new_bucket()
    with closing(InfluxStore(settings)) as store, closing(InfluxClient(settings)) as client:
        store.write([batch([0])])
        sums = "count=1i,queue_sum_ms=2.0,store_sum_ms=7.0"
        client.write([f"batch,consumer=consumer-1,run=run-1 {sums} {NOON_NS}"])
        found = window(store)
    assert found.persist_ms is None
    assert found.hops_ms[2:] == (2.0, 7.0)


def test_the_active_run_is_the_one_that_was_stored_to_last(open_store: Open) -> None:
    writer, reader = open_store(), open_store()
    assert reader.totals().active is None
    for index, run in enumerate(("old", "new", "old")):
        writer.write([batch([index], run=run, at_ns=NOON_NS + index * NS_PER_S)])
        active = reader.totals().active
        assert active
        assert active.run == run
    assert [run.run for run in reader.totals().runs] == ["new", "old"]


def test_a_single_huge_number_leads_no_run_and_is_still_the_highest(open_store: Open) -> None:
    writer, reader = open_store(), open_store()
    writer.write([batch(range(100), run="steady")])
    writer.write([batch([9_000_000], run="manual", at_ns=NOON_NS + NS_PER_S)])
    totals = reader.totals()
    assert (totals.highest, totals.highest_run) == (9_000_000, "manual")
    assert totals.leading
    assert (totals.leading.run, totals.leading.highest) == ("steady", 99)


def test_a_run_leads_as_long_as_half_of_its_numbers_are_there(open_store: Open) -> None:
    writer, reader = open_store(), open_store()
    writer.write([batch(range(10), run="a")])
    writer.write([batch([0, 19], run="b", at_ns=NOON_NS + NS_PER_S)])
    assert reader.totals().leading == replace(reader.totals().runs[1])
    writer.write([batch(range(1, 9), run="b", at_ns=NOON_NS + 2 * NS_PER_S)])  # 10 of 20
    leading = reader.totals().leading
    assert leading
    assert (leading.run, leading.highest) == ("b", 19)


def test_one_run_is_found_by_its_name(store: Store) -> None:
    write(store, "a", 3.0)
    found = store.run("a")
    assert found
    assert (found.run, found.stored) == ("a", 1)
    assert store.run("b") is None
