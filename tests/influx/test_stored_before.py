"""A day of small batches, as the previous version stored them: counted right, and by the storage engine."""

import time
from collections import Counter
from collections.abc import Iterator

import pytest

from pipeline.clock import NS_PER_S
from pipeline.settings import Influx
from pipeline.store.influx import InfluxStore, flux
from pipeline.store.influx.client import InfluxClient
from pipeline.store.influx.data_model import SLICE_NS
from tests.support.batches import batch
from tests.support.influxdb import InfluxServer
from tests.support.waiting import awaited

pytestmark = pytest.mark.influx

BATCHES = 60_000
A_BATCH = 3
APART_NS = 86_400 * NS_PER_S // BATCHES

PROFILED = """
import "profiler"
option profiler.enabledProfilers = ["operator"]
"""


@pytest.fixture(scope="module")
def day(influx_server: InfluxServer) -> Influx:
    """Every hundredth message took two seconds. Some of each tenth batch was written once more."""
    bucket = influx_server.new_bucket()
    lines = list(_lines(time.time_ns() - 86_400 * NS_PER_S))
    client = InfluxClient(bucket)
    for first in range(0, len(lines), 50_000):
        client.write(lines[first : first + 50_000])
    return bucket


def _lines(start_ns: int) -> Iterator[str]:
    for index in range(BATCHES):
        at_ns, first = start_ns + index * APART_NS, index * A_BATCH
        for number in range(first, first + A_BATCH):
            late = number % 100 == 0
            yield (
                f"message,consumer=consumer-1,run=old number={number}i,sent_ns={at_ns - 3_000_000}i,"
                f"transmission_ms={2000.0 if late else 3.0},gateway_ms=1.0 {at_ns + number - first}"
            )
        yield _summary(at_ns, first, A_BATCH)
        if index % 10 == 0:
            yield _summary(at_ns + 1, first + 1, A_BATCH - 1)
        yield f"write,worker=worker-1 first_ns={at_ns}i,last_ns={at_ns + 2}i {at_ns + 5_000_000}"


def _summary(at_ns: int, first: int, count: int) -> str:
    return (
        f"batch,consumer=consumer-1,run=old count={count}i,highest={first + count - 1}i,late=0i,"
        f"last_ns={at_ns}i,queued_ns={at_ns}i,taken_ns={at_ns}i,queue_sum_ns=5000000i,"
        f'worker="worker-1",stored_ns={at_ns}i,store_sum_ns=6000000i,store_count={count}i {at_ns}'
    )


def test_the_first_reading_counts_what_is_stored(day: Influx) -> None:
    (run,), _ = InfluxStore(day).changes(None)
    assert (run.stored, run.highest, run.missing) == (BATCHES * A_BATCH, BATCHES * A_BATCH - 1, 0)
    assert run.late == BATCHES * A_BATCH // 100


def test_the_storage_engine_itself_counts(day: Influx) -> None:
    """And returns no message, which would take a minute instead of a tenth of a second for a day.

    The profiler may report before each operator has told it, so it is asked until all have.
    """
    counts = flux.counts(day.bucket, 0, flux.END_NS, SLICE_NS)

    def operators() -> Counter[str]:
        rows = InfluxClient(day).query(PROFILED + counts)
        return Counter(row["Type"] for row in rows if row["result"] == "_profiler")

    expected = {
        "*influxdb.readWindowAggregateSource": counts.count("yield"),
        "*universe.schemaMutationTransformation": counts.count("yield"),
    }
    awaited(operators, lambda seen: seen == expected, what="the operators of the query")


def test_what_comes_after_is_added(day: Influx) -> None:
    reader, writer = InfluxStore(day), InfluxStore(day)
    _, cursor = reader.changes(None)
    at_ns = time.time_ns()
    added = batch(range(BATCHES * A_BATCH, BATCHES * A_BATCH + 10), run="old", at_ns=at_ns)
    writer.write([added])
    writer.record_stored([added.id], added.taken_ns)
    (run,), _ = reader.changes(cursor)
    assert (run.stored, run.missing) == (BATCHES * A_BATCH + 10, 0)
    assert reader.window(at_ns - 1, at_ns + NS_PER_S).hops_ms[2] == pytest.approx(2, abs=0.01)
