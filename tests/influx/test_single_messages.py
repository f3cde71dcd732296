"""Messages of one run, asked for one by one."""

from dataclasses import replace

import pytest

from pipeline.clock import NS_PER_MS, NS_PER_S
from pipeline.store.influx import InfluxStore, store
from tests.support.batches import NOON_NS, batch
from tests.support.influxdb import InfluxServer

pytestmark = pytest.mark.influx


@pytest.mark.parametrize("name", ["${1 + 1}", 'a"b', "a\\b", "a b,c=d", "größe"])
def test_a_consumers_name_is_never_part_of_the_question(influx_server: InfluxServer, name: str) -> None:
    under_test = InfluxStore(influx_server.new_bucket())
    under_test.write([batch([1], consumer=name)])
    found = under_test.message("run-1", 1)
    assert found
    assert (found.consumer, found.arrived_ns) == (name, NOON_NS)


def test_a_batch_without_times_does_not_get_those_of_an_earlier_one(influx_server: InfluxServer) -> None:
    under_test = InfluxStore(influx_server.new_bucket())
    first = batch([0], job="first")
    under_test.write([first])
    under_test.record_stored(["first"], NOON_NS + 3 * NS_PER_MS)
    under_test.write([batch([1], at_ns=NOON_NS + NS_PER_S, job="second")])
    found = under_test.message("run-1", 1)
    assert found
    assert (found.job, found.queued_ns, found.stored_ns, found.worker) == (None, None, None, None)


def test_a_message_that_was_accepted_twice_is_found_with_its_first_arrival(
    influx_server: InfluxServer,
) -> None:
    under_test = InfluxStore(influx_server.new_bucket())
    again = batch([5], at_ns=NOON_NS + NS_PER_S, consumer="consumer-2")
    written = under_test.write([again, batch([5])])
    assert [one.added for one in written.values()] == [{"run-1": 1}, {"run-1": 1}]
    found = under_test.message("run-1", 5)
    assert found
    assert (found.arrived_ns, found.consumer) == (NOON_NS, "consumer-1")


def test_more_numbers_than_are_examined_leave_the_lower_ones_out(
    influx_server: InfluxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "MAX_NUMBERS", 4)
    under_test = InfluxStore(influx_server.new_bucket())
    whole = batch([0, 3, 4, 6, 7])
    under_test.write([replace(whole, id="job")])
    assert list(under_test.holes("run-1", 9)) == [(5, 5)]
