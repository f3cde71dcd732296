"""How each store distinguishes its faults: StoreUnavailable may end by itself, MessageRejected never does."""

import logging
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from pipeline.clock import NS_PER_S
from pipeline.message import Batch
from pipeline.settings import Influx
from pipeline.store import MessageRejected, Store, StoreUnavailable, sqlite_connection
from pipeline.store.influx import InfluxStore, client
from pipeline.store.sqlite import SqliteStore
from tests.support.batches import NOON_NS, batch
from tests.support.influxdb import InfluxServer
from tests.support.ports import free_port


def stored(store: Store) -> int:
    return store.totals().stored


def with_value(whole: Batch, field: str, value: Any) -> Batch:
    """The last of its messages has ``value`` as ``field``."""
    *rest, last = whole.arrivals
    if field == "arrived_ns":
        last = structs.replace(last, arrived_ns=value)
    else:
        last = structs.replace(last, message=structs.replace(last.message, **{field: value}))
    return replace(whole, arrivals=(*rest, last))


def connect_to_12_pages(
    connect: Callable[..., sqlite3.Connection], *args: Any, **options: Any
) -> sqlite3.Connection:
    """To SQLite the limit is a full disk."""
    made = connect(*args, **options)
    made.execute("PRAGMA max_page_count = 12")
    return made


class TestSqlite:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / "messages.db"

    @pytest.fixture
    def store(self, path: Path) -> Iterator[SqliteStore]:
        store = SqliteStore(path)
        yield store
        store.close()

    def test_a_folder_that_can_not_be_made_is_unavailable(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(StoreUnavailable, match="Not a directory"):
            SqliteStore(tmp_path / "file" / "messages.db").write([batch([0])])

    def test_a_file_that_is_no_database_is_unavailable_until_it_is_mended(
        self, path: Path, store: SqliteStore
    ) -> None:
        path.write_bytes(b"not a database" * 100)
        with pytest.raises(StoreUnavailable, match="not a database"):
            store.write([batch([0])])
        path.unlink()
        store.write([batch([0])])
        assert stored(store) == 1

    def test_a_database_that_another_program_holds_is_unavailable(
        self, path: Path, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sqlite_connection, "BUSY_TIMEOUT_S", 0.05)
        store.write([batch([0])])
        store.close()
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="locked"):
            store.write([batch([1], at_ns=NOON_NS + 1)])
        other.execute("ROLLBACK")
        store.write([batch([1], at_ns=NOON_NS + 1)])
        assert stored(store) == 2

    def test_a_full_disk_is_unavailable_and_leaves_nothing_half_written(
        self, path: Path, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store.write([batch([0])])
        store.close()
        monkeypatch.setattr(sqlite3, "connect", partial(connect_to_12_pages, sqlite3.connect))
        with pytest.raises(StoreUnavailable, match="full"):
            store.write([batch(range(1, 1_000), at_ns=NOON_NS + 1)])
        counted = stored(store)
        rows = sqlite3.connect(path).execute("SELECT count(*) FROM message").fetchone()
        assert rows == (counted,) == (1,)
        monkeypatch.undo()
        store.close()
        store.write([batch([1], at_ns=NOON_NS + 1)])
        assert stored(store) == 2

    def test_a_row_that_a_constraint_refuses_is_rejected(self, path: Path, store: SqliteStore) -> None:
        store.write([batch([0])])
        with sqlite3.connect(path) as other:
            other.execute(
                "CREATE TRIGGER refuse BEFORE INSERT ON message WHEN NEW.number = 13"
                " BEGIN SELECT RAISE(ABORT, 'number 13'); END"
            )
        with pytest.raises(MessageRejected, match="number 13"):
            store.write([batch([12, 13], at_ns=NOON_NS + 1)])
        assert stored(store) == 1

    def test_the_log_has_the_path_once_and_the_error_that_is_shown_outside_does_not(
        self, path: Path, store: SqliteStore, caplog: pytest.LogCaptureFixture
    ) -> None:
        store.write([batch(range(3))])
        path.rename(path.with_name("away.db"))
        with caplog.at_level(logging.WARNING):
            for _ in range(3):
                with pytest.raises(StoreUnavailable) as caught:
                    stored(store)
                assert str(path.parent) not in str(caught.value)
        assert [str(path) in record.getMessage() for record in caplog.records] == [True]

    @pytest.mark.parametrize("value", [{"a": 1}, [1], None, "\ud800", 2**70, 1.5, b"x", Decimal(1)])
    @pytest.mark.parametrize("field", ["run", "number", "sent_ns", "arrived_ns"])
    def test_a_value_that_the_database_can_not_take_is_rejected_and_the_rest_goes_on(
        self, path: Path, store: SqliteStore, field: str, value: Any
    ) -> None:
        good, bad = batch([0]), with_value(batch([1, 2], at_ns=NOON_NS + 1), field, value)
        store.write([good])
        for _ in range(2):
            with pytest.raises(MessageRejected):
                store.write([bad])
        store.write([batch([3], at_ns=NOON_NS + 9)])
        assert stored(store) == 2
        with closing(sqlite3.connect(path)) as client:
            numbers = client.execute("SELECT number FROM message ORDER BY number").fetchall()
        assert numbers == [(0,), (3,)]

    @pytest.mark.parametrize("field", ["id", "consumer", "worker", "queued_ns", "taken_ns"])
    def test_a_batch_that_lacks_something_is_rejected(self, store: SqliteStore, field: str) -> None:
        lacking: Any = {field: None}
        with pytest.raises(MessageRejected, match="NOT NULL"):
            store.write([replace(batch([0]), **lacking)])
        assert stored(store) == 0

    def test_missing_tables_are_unavailable_until_they_are_there_again(
        self, path: Path, store: SqliteStore
    ) -> None:
        store.write([batch([0])])
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("ALTER TABLE message RENAME TO away")
            for call in (lambda: store.write([batch([1])]), lambda: store.window(0, 1)):
                with pytest.raises(StoreUnavailable, match="no such table"):
                    call()
            other.execute("ALTER TABLE away RENAME TO message")
        store.write([batch([1], at_ns=NOON_NS + 1)])
        assert stored(store) == 2

    def test_any_sqlite_client_reads_while_it_is_written(self, path: Path, store: SqliteStore) -> None:
        store.write([batch(range(10))])
        reader = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        for step in range(10, 20):
            store.write([batch([step], at_ns=NOON_NS + step * 1_000_000)])
            assert reader.execute("SELECT max(number) FROM message").fetchone() == (step,)


@pytest.mark.influx
class TestInflux:
    def test_no_server_is_unavailable_and_named(self) -> None:
        settings = Influx(f"http://127.0.0.1:{free_port()}", "token", "org", "bucket")
        store = InfluxStore(settings)
        for call in (
            lambda: store.write([batch([0])]),
            store.totals,
            lambda: store.window(0, 1),
        ):
            with pytest.raises(StoreUnavailable, match=settings.url):
                call()

    def test_a_bad_token_is_unavailable_and_named(self, influx_server: InfluxServer) -> None:
        settings = replace(influx_server.new_bucket(), token="wrong")
        with pytest.raises(StoreUnavailable, match="INFLUXDB_TOKEN"):
            InfluxStore(settings).write([batch([0])])
        with pytest.raises(StoreUnavailable, match="INFLUXDB_TOKEN"):
            InfluxStore(settings).totals()

    def test_a_missing_bucket_is_unavailable_and_named(self, influx_server: InfluxServer) -> None:
        settings = replace(influx_server.new_bucket(), bucket="nowhere")
        with pytest.raises(StoreUnavailable, match="INFLUXDB_BUCKET"):
            InfluxStore(settings).write([batch([0])])
        with pytest.raises(StoreUnavailable, match="INFLUXDB_BUCKET"):
            InfluxStore(settings).totals()

    def test_arrivals_beyond_the_retention_are_rejected_and_not_counted(
        self, influx_server: InfluxServer
    ) -> None:
        store = InfluxStore(influx_server.new_bucket(retention_s=3_600))
        now_ns = time.time_ns()
        store.write([batch([0], at_ns=now_ns)])
        with pytest.raises(MessageRejected, match="retention"):
            store.write([batch([1], at_ns=now_ns - 7_200 * NS_PER_S)])
        assert stored(store) == 1

    def test_a_field_of_another_type_is_rejected_and_not_counted(self, influx_server: InfluxServer) -> None:
        settings = influx_server.new_bucket()
        query = {"org": settings.org, "bucket": settings.bucket, "precision": "ns"}
        foreign = f'message,consumer=other,run=other number="text" {NOON_NS}'
        influx_server.call("POST", "write", params=query, data=foreign)
        store = InfluxStore(settings)
        with pytest.raises(MessageRejected, match="number"):
            store.write([batch([1], at_ns=NOON_NS + 1)])
        assert stored(store) == 0

    def test_what_was_refused_for_one_batch_fails_no_later_one(self, influx_server: InfluxServer) -> None:
        settings = influx_server.new_bucket()
        store = InfluxStore(settings)
        store.write([batch([0])])
        influx_server.keep_for(settings, 3_600)  # from now on the first batch's time is refused
        store.write([batch([1], at_ns=time.time_ns())])
        with pytest.raises(MessageRejected, match="retention"):
            store.write([batch([2], at_ns=NOON_NS + 1)])
        store.write([batch([3], at_ns=time.time_ns())])

    def test_the_timings_of_a_batch_may_be_refused(self, influx_server: InfluxServer) -> None:
        settings = influx_server.new_bucket()
        query = {"org": settings.org, "bucket": settings.bucket, "precision": "ns"}
        foreign = f'batch,consumer=other,run=other count="text" {NOON_NS}'
        influx_server.call("POST", "write", params=query, data=foreign)
        store = InfluxStore(settings)
        whole = batch(range(5))
        store.write([whole])
        with pytest.raises(MessageRejected, match="type"):
            store.record_stored([whole.id], time.time_ns())
        assert stored(store) == 5

    def test_a_clock_that_was_set_from_1970_overflows_nothing(self, influx_server: InfluxServer) -> None:
        store = InfluxStore(influx_server.new_bucket())
        early = replace(batch(range(10), at_ns=20 * NS_PER_S), taken_ns=NOON_NS)
        store.write([early])
        store.record_stored([early.id], NOON_NS)
        assert stored(store) == 10
        queue_ms = store.window(0, 60 * NS_PER_S).hops_ms[2]
        assert queue_ms == pytest.approx((NOON_NS - 20 * NS_PER_S) / 1e6)

    def test_a_clock_beyond_64_bits_keeps_the_other_times(self, influx_server: InfluxServer) -> None:
        store = InfluxStore(influx_server.new_bucket())
        whole = batch(range(10))
        store.write([whole])
        store.record_stored([whole.id], 2**70)
        assert store.window(0, 2 * NOON_NS).hops_ms[2] == pytest.approx(2, abs=0.01)

    def test_when_another_program_s_text_was_deleted_every_message_counts(
        self, influx_server: InfluxServer
    ) -> None:
        settings = influx_server.new_bucket()
        store = InfluxStore(settings)
        query = {"org": settings.org, "bucket": settings.bucket, "precision": "ns"}
        for week in range(4):  # a shard is a week, and has one type for a field
            at_ns = NOON_NS + week * 7 * 86_400 * NS_PER_S
            if week % 2:
                foreign = f'message,consumer=other,run=other number="text" {at_ns}'
                influx_server.call("POST", "write", params=query, data=foreign)
            else:
                store.write([batch([week], at_ns=at_ns)])
        body = {"start": "1970-01-01T00:00:00Z", "stop": "2100-01-01T00:00:00Z", "predicate": 'run="other"'}
        influx_server.call("POST", "delete", params=query, json=body)
        assert stored(store) == 2

    @pytest.mark.parametrize("number", [2**70, {"a": 1}, None, "x", 1.5])
    def test_a_number_that_is_none_is_rejected(self, influx_server: InfluxServer, number: Any) -> None:
        store = InfluxStore(influx_server.new_bucket())
        whole = batch([0])
        (arrival,) = whole.arrivals
        bad = structs.replace(arrival, message=structs.replace(arrival.message, number=number))
        with pytest.raises(MessageRejected):
            store.write([replace(whole, arrivals=(bad,))])
        assert stored(store) == 0

    @pytest.mark.parametrize("field", ["sent_ns", "gateway_ns"])
    @pytest.mark.parametrize("value", [10**400, {"a": 1}, "1"])
    def test_a_time_that_is_none_is_rejected(
        self, influx_server: InfluxServer, field: str, value: Any
    ) -> None:
        whole = batch([0])
        (arrival,) = whole.arrivals
        bad = structs.replace(arrival, message=structs.replace(arrival.message, **{field: value}))
        with pytest.raises(MessageRejected):
            InfluxStore(influx_server.new_bucket()).write([replace(whole, arrivals=(bad,))])

    def test_nothing_to_write_is_no_request(self) -> None:
        store = InfluxStore(Influx(f"http://127.0.0.1:{free_port()}", "token", "org", "bucket"))
        store.write([])
        store.write([batch([])])

    def test_a_frozen_server_is_unavailable_and_right_again_afterwards(
        self, influx_server: InfluxServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store = InfluxStore(influx_server.new_bucket())
        store.write([batch([0])])
        influx_server.freeze()
        try:
            with monkeypatch.context() as patch:
                patch.setattr(client, "TIMEOUT_MS", 500)
                with pytest.raises(StoreUnavailable):
                    store.write([batch([1], at_ns=NOON_NS + 1)])
        finally:
            influx_server.thaw()
        store.write([batch([1], at_ns=NOON_NS + 1)])
        assert stored(store) == 2
