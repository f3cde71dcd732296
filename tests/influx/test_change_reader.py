"""A reader of InfluxDB that follows has the figures of what is stored, whatever happened meanwhile."""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from pipeline.clock import NS_PER_S
from pipeline.message import Batch
from pipeline.settings import Influx
from pipeline.store import MessageRejected, Store, StoreUnavailable
from pipeline.store.influx import InfluxStore, change_reader, counting, data_model
from pipeline.store.influx.change_reader import ChangeReader
from pipeline.store.influx.client import InfluxClient
from pipeline.store.influx.counting import count_all
from pipeline.store.influx.slice_cache import HOUR_NS
from tests.support.batches import NOON_NS, batch
from tests.support.influxdb import InfluxServer

pytestmark = pytest.mark.influx

POLLS_S = 30


@pytest.fixture
def bucket(influx_server: InfluxServer) -> Influx:
    return influx_server.new_bucket()


class Reader:
    """Follows a bucket, at moments of the server's clock that are ``ahead_s`` of the true one."""

    def __init__(self, settings: Influx) -> None:
        self._client = InfluxClient(settings)
        self._changes = ChangeReader(settings.bucket)
        self.stored: dict[str, int] = {}
        self.highest: dict[str, int] = {}
        self.queries = 0
        """Of the last read."""
        self.read()

    def read(self, *, ahead_s: int = 0) -> "Reader":
        self.queries = 0

        def query(flux: str) -> list[Mapping[str, str]]:
            self.queries += 1
            rows = self._client.query(flux)
            return [_ahead(row, ahead_s * NS_PER_S) if row["result"] == "now" else row for row in rows]

        for run in self._changes.read(query):
            self.stored[run.run], self.highest[run.run] = run.stored, run.highest
        return self

    def look_until(self, wanted: Callable[["Reader"], bool]) -> None:
        until_s = time.monotonic() + POLLS_S
        while not wanted(self.read()):
            assert time.monotonic() < until_s, self.stored
            time.sleep(0.05)


def _ahead(row: Mapping[str, str], ahead_ns: int) -> Mapping[str, str]:
    return {**row, "_value": str(int(row["_value"]) + ahead_ns)}


def write_messages(settings: Influx, *batches: Batch, marker_ns: int | None = None) -> None:
    """Write without a marker, or with one that bears ``marker_ns``."""
    lines = [line for one in batches for line in data_model.line_protocol(one)]
    markers = [f"{line} {marker_ns}" for line in data_model.change_markers(batches)]
    InfluxClient(settings).write(lines if marker_ns is None else lines + markers)


def stored(store: Store) -> int:
    return store.totals().stored


def test_a_batch_that_was_written_in_halves_and_then_whole_counts_once(bucket: Influx) -> None:
    store, reader = InfluxStore(bucket), Reader(bucket)
    whole = batch(range(10), job="job")
    store.write([replace(whole, id="job.0", arrivals=whole.arrivals[:5])])
    store.write([replace(whole, id="job.1", arrivals=whole.arrivals[5:])])
    assert reader.read().stored == {"run-1": 10}
    store.write([whole])
    assert reader.read().stored == {"run-1": 10}
    assert stored(store) == 10


def test_what_was_accepted_of_a_refused_batch_counts_though_its_writer_dies_there(
    influx_server: InfluxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = InfluxStore(influx_server.new_bucket(retention_s=3_600))
    now_ns = time.time_ns()
    old, new = batch([0], at_ns=now_ns - 7_200 * NS_PER_S), batch([1, 2], at_ns=now_ns)
    write = InfluxClient.write

    def write_once(client: InfluxClient, *args: object, **arguments: object) -> None:
        monkeypatch.setattr(InfluxClient, "write", _died)
        write(client, *args, **arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(InfluxClient, "write", write_once)
    with pytest.raises((MessageRejected, KeyboardInterrupt)):
        store.write([replace(old, arrivals=old.arrivals + new.arrivals)])
    assert stored(store) == 2


def _died(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_a_count_that_is_too_large_for_one_query_is_made_in_smaller_ones(bucket: Influx) -> None:
    """One early message, a long time without any, then many: the steps over what is empty are long."""
    store, client = InfluxStore(bucket), InfluxClient(bucket)
    for hour in range(12):
        store.write([batch(range(10 * hour, 10 * hour + 10), at_ns=NOON_NS + hour * HOUR_NS)])
    store.write([batch([0], run="early", at_ns=NOON_NS - 900 * 24 * HOUR_NS)])
    refused: list[int] = []

    def within_a_time_limit(flux: str) -> list[Mapping[str, str]]:
        start_ns, stop_ns = map(int, re.findall(r"time\(v: (\d+)\)", flux)[:2])
        hours = (min(stop_ns, NOON_NS + 12 * HOUR_NS) - max(start_ns, NOON_NS)) / HOUR_NS
        if "window(" in flux and hours > 3:
            refused.append(stop_ns - start_ns)
            raise StoreUnavailable("no answer within 5 s")
        return list(client.query(flux))

    counted = count_all(within_a_time_limit, bucket.bucket, NOON_NS + 48 * HOUR_NS)
    assert refused
    assert sum(figures.stored for runs in counted.values() for figures in runs.values()) == 121


def test_changes_have_only_runs_that_changed(bucket: Influx) -> None:
    writer, reader = InfluxStore(bucket), InfluxStore(bucket)
    writer.write([batch(range(10), run="old", at_ns=NOON_NS - 3_600 * NS_PER_S)])
    _, cursor = reader.changes(None)
    writer.write([batch(range(5), run="new")])
    runs, _ = reader.changes(cursor)
    assert [(run.run, run.stored) for run in runs] == [("new", 5)]


@pytest.mark.parametrize("behind_s", [25, -25, 7_200])
def test_a_worker_whose_clock_differs_is_heard(bucket: Influx, behind_s: int) -> None:
    writer = InfluxStore(bucket)
    reader = InfluxStore(bucket)
    _, cursor = reader.changes(None)
    whole = batch(range(5))
    writer.write([whole])
    writer.record_stored([whole.id], time.time_ns() - behind_s * NS_PER_S)
    (run,), _ = reader.changes(cursor)
    assert run.stored == 5


def test_a_reader_that_was_frozen_asks_from_its_last_read_on(bucket: Influx) -> None:
    reader = Reader(bucket).read(ahead_s=-400)
    now_ns = time.time_ns()
    for ago_s in (395, 100, 30):  # over more than one five-minute edge
        at_ns = now_ns - ago_s * NS_PER_S
        write_messages(bucket, batch([ago_s], at_ns=at_ns), marker_ns=at_ns)
    assert reader.read().stored == {"run-1": 3}


@pytest.mark.parametrize("ahead_s", [-700, 3_600])
def test_after_a_long_pause_or_a_step_of_the_clock_everything_is_counted(
    bucket: Influx, ahead_s: int
) -> None:
    reader = Reader(bucket).read(ahead_s=ahead_s)
    write_messages(bucket, batch(range(5)))
    assert reader.read().stored == {"run-1": 5}


def test_points_that_appear_after_their_marker_are_counted(bucket: Influx) -> None:
    reader, late = Reader(bucket), batch(range(5), at_ns=time.time_ns())
    write_messages(bucket, replace(late, arrivals=late.arrivals[:1]), marker_ns=time.time_ns())
    assert reader.read().stored == {"run-1": 1}
    write_messages(bucket, late)
    assert reader.read().stored == {"run-1": 5}


def test_a_read_that_fails_is_made_up_for_by_the_next(
    bucket: Influx, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, reader = InfluxStore(bucket), Reader(bucket)
    store.write([batch([0], at_ns=NOON_NS), batch([1], at_ns=NOON_NS + 7_200 * NS_PER_S)])
    query, queries = InfluxClient.query, iter(range(100))

    def fail_at_the_third(client: InfluxClient, flux: str) -> list[Mapping[str, str]]:
        if next(queries) == 2:
            raise StoreUnavailable("cut off")
        return list(query(client, flux))

    monkeypatch.setattr(InfluxClient, "query", fail_at_the_third)
    with pytest.raises(StoreUnavailable):
        reader.read()
    monkeypatch.undo()
    assert reader.read().stored == {"run-1": 2}


def test_what_waited_for_hours_in_many_slices_is_counted_at_one_read(
    bucket: Influx, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(change_reader, "CHECK_EVERY_NS", 10**18)
    reader, minutes = Reader(bucket), 300
    InfluxStore(bucket).write([_spread(minutes, over_s=2 * minutes * 60)])
    assert reader.read().stored == {"run-1": minutes}
    assert reader.queries <= counting.MAX_RANGES
    assert reader.read().stored == {"run-1": minutes}


def test_slices_between_many_that_changed_keep_their_counts(
    bucket: Influx, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(change_reader, "CHECK_EVERY_NS", 10**18)
    monkeypatch.setattr(counting, "MAX_RANGES", 3)
    between = _spread(15, over_s=15 * 120, run="between", behind_s=60)
    write_messages(bucket, between)
    reader = Reader(bucket)
    InfluxStore(bucket).write([_spread(15, over_s=15 * 120)])
    unmarked = batch([99], at_ns=between.arrivals[1].arrived_ns + 1, run="unmarked")
    write_messages(bucket, unmarked)
    for _ in range(2):
        assert reader.read().stored == {"between": 15, "run-1": 15}
        assert reader.queries <= 1 + 3
    write_messages(bucket, unmarked, marker_ns=time.time_ns())
    assert reader.read().stored == {"between": 15, "run-1": 15, "unmarked": 1}


def test_a_write_over_more_slices_than_a_marker_can_name_is_counted(bucket: Influx) -> None:
    reader = Reader(bucket)
    InfluxStore(bucket).write([_spread(data_model.MAX_SLICES + 1, over_s=400 * 86_400)])
    assert reader.read().stored == {"run-1": data_model.MAX_SLICES + 1}


def _spread(count: int, *, over_s: int, run: str = "run-1", behind_s: int = 0) -> Batch:
    """Messages that are equally far apart, the last of them ``behind_s`` ago."""
    last_ns = time.time_ns() // data_model.SLICE_NS * data_model.SLICE_NS - behind_s * NS_PER_S
    apart_ns = over_s * NS_PER_S // count
    arrivals = [
        batch([number], at_ns=last_ns - number * apart_ns, run=run).arrivals[0] for number in range(count)
    ]
    return replace(batch([]), arrivals=tuple(arrivals))


@pytest.mark.parametrize("ago_s", [0, 5 * 3_600, 90 * 86_400])
def test_what_was_deleted_from_the_bucket_is_gone_from_the_totals(
    influx_server: InfluxServer, bucket: Influx, monkeypatch: pytest.MonkeyPatch, ago_s: int
) -> None:
    monkeypatch.setattr(change_reader, "CHECK_EVERY_NS", 0)
    at_ns = time.time_ns() - ago_s * NS_PER_S
    write_messages(
        bucket, batch(range(60), run="kept", at_ns=at_ns), batch(range(9), run="gone", at_ns=at_ns)
    )
    reader = Reader(bucket)
    assert reader.stored == {"kept": 60, "gone": 9}
    delete(influx_server, bucket, 'run="gone"')
    reader.look_until(lambda reader: reader.stored == {"kept": 60, "gone": 0})
    assert reader.highest["gone"] == -1
    delete(influx_server, bucket, 'run="kept"', after_ns=at_ns + 9_500)
    reader.look_until(lambda reader: reader.stored["kept"] == 10)
    assert reader.highest["kept"] == 9


def test_what_just_came_and_was_deleted_is_gone_at_the_next_read(
    influx_server: InfluxServer, bucket: Influx, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(change_reader, "CHECK_EVERY_NS", 10**18)
    InfluxStore(bucket).write([batch(range(5), at_ns=time.time_ns())])
    reader = Reader(bucket)
    delete(influx_server, bucket, 'run="run-1"')
    assert reader.read().stored == {"run-1": 0}


def test_points_without_a_marker_are_found(bucket: Influx, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(change_reader, "CHECK_EVERY_NS", 0)
    reader = Reader(bucket)
    write_messages(bucket, batch(range(5), at_ns=time.time_ns()))
    reader.look_until(lambda reader: reader.stored == {"run-1": 5})


def delete(server: InfluxServer, bucket: Influx, predicate: str, *, after_ns: int = 0) -> None:
    body = {"start": _time(after_ns), "stop": "2100-01-01T00:00:00Z", "predicate": predicate}
    server.call("POST", "delete", params={"org": bucket.org, "bucket": bucket.bucket}, json=body)


def _time(ns: int) -> str:
    return f"{datetime.fromtimestamp(ns // NS_PER_S, UTC):%Y-%m-%dT%H:%M:%S}.{ns % NS_PER_S:09}Z"
