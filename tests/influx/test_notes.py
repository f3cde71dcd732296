"""What a reader sees of a write while it is still appearing."""

import time

import pytest

from pipeline.store import influx_lines
from pipeline.store.influx import InfluxStore
from pipeline.store.influx_client import InfluxClient
from tests.batches import batch
from tests.influx.conftest import Site

pytestmark = pytest.mark.influx

_ENDS = (("first_ns", 0), ("last_ns", -1))


def test_a_note_whose_fields_appear_one_by_one_is_left_for_the_next_look(site: Site) -> None:
    writer, reader = InfluxClient(site.influx("write")), InfluxStore(site.influx("read"))
    _, cursor = reader.changes(None)
    now_ns = time.time_ns()
    new = batch(range(5), run="half-told", at_ns=now_ns)
    first, last = (f"{name}={new.arrivals[index].arrived_ns}i" for name, index in _ENDS)
    writer.write([*influx_lines.lines(new), f"write,worker=worker-1 {last} {now_ns}"])
    changed, cursor = reader.changes(cursor)
    assert changed == []
    writer.write([f"write,worker=worker-1 {first} {now_ns}"])
    changed, _ = reader.changes(cursor)
    assert [(run.run, run.stored) for run in changed] == [("half-told", 5)]
