"""What other programs find in the database: the names and types that the contract promises."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from pipeline.store.influx import InfluxStore
from pipeline.store.influx.client import InfluxClient
from pipeline.store.sqlite import SqliteStore
from tests.support.batches import NOON_NS, batch
from tests.support.influxdb import InfluxServer

SENT_NS = NOON_NS - 3_000_000


def test_sqlite_has_a_table_of_messages_that_any_client_can_read_meanwhile(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "messages.db")
    store.write([batch([7])])
    with closing(sqlite3.connect(f"file:{tmp_path}/messages.db?mode=ro", uri=True)) as client:
        columns = client.execute("SELECT name, pk FROM pragma_table_info('message')").fetchall()
        rows = client.execute("SELECT run, number, sent_ns, arrived_ns FROM message").fetchall()
        store.write([batch([8], at_ns=NOON_NS + 1)])
        assert client.execute("SELECT count(*) FROM message").fetchone() == (2,)
    store.close()
    assert [name for name, position in sorted(columns, key=lambda column: column[1]) if position] == [
        "run",
        "number",
    ]
    assert rows == [("run-1", 7, SENT_NS, NOON_NS)]


@pytest.mark.influx
def test_influxdb_has_a_point_a_message_with_these_tags_and_fields(influx_server: InfluxServer) -> None:
    settings = influx_server.new_bucket()
    store = InfluxStore(settings)
    store.write([batch([7])])
    store.close()
    client = InfluxClient(settings)
    rows = client.query(
        f'from(bucket: "{settings.bucket}") |> range(start: 0)'
        ' |> filter(fn: (r) => r._measurement == "message")'
        " |> map(fn: (r) => ({r with ns: int(v: r._time)}))"
        ' |> toString() |> group() |> yield(name: "points")'
    )
    values = {row["_field"]: row["_value"] for row in rows}
    types = {
        name: client.query(
            f'import "types" from(bucket: "{settings.bucket}") |> range(start: 0)'
            f' |> filter(fn: (r) => r._measurement == "message" and r._field == "{name}")'
            f' |> filter(fn: (r) => types.isType(v: r._value, type: "{kind}"))'
        )
        for name, kind in (("number", "int"), ("sent_ns", "int"), ("transmission_ms", "float"))
    }
    client.close()
    assert {row["ns"] for row in rows} == {str(NOON_NS)}
    assert {(row["run"], row["consumer"]) for row in rows} == {("run-1", "consumer-1")}
    assert (values["number"], values["sent_ns"], values["transmission_ms"]) == ("7", str(SENT_NS), "3")
    assert all(types.values()), types
