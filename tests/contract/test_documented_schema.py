"""``docs/storage.md`` describes the tables and points that the stores really write."""

import re
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from msgspec import structs

from pipeline.store.influx.data_model import change_markers, line_protocol, timings
from pipeline.store.sqlite import SqliteStore
from tests.support.batches import batch

PAGE = Path(__file__).parents[2] / "docs" / "storage.md"
_KINDS = {"i": "integer", '"': "string"}
"""Of a field's value in line protocol, by its last character; a float has none of these."""


def described(chapter: str) -> dict[str, dict[str, tuple[str, str]]]:
    """The tables of a chapter: the two cells beside each name, by the name in the heading."""
    text = PAGE.read_text().partition(f"\n## {chapter}\n")[2].partition("\n## ")[0]
    tables = {}
    for part in text.split("\n### ")[1:]:
        name = re.findall("`(.+?)`", part.splitlines()[0])[0]
        rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (\w+) \|", part, re.MULTILINE)
        tables[name] = {column: (kind, flag) for column, kind, flag in rows}
    return tables


def test_the_tables_of_sqlite_are_the_documented_ones(tmp_path: Path) -> None:
    path = tmp_path / "messages.db"
    store = SqliteStore(path)
    store.write([batch([0])])
    store.close()
    with closing(sqlite3.connect(path)) as database:
        names = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        real = {}
        for (name,) in names:
            columns = database.execute(f"SELECT name, type, \"notnull\", pk FROM pragma_table_info('{name}')")
            real[name] = {
                column: (kind, "no" if not_null or key else "yes") for column, kind, not_null, key in columns
            }
    assert described("SQLite") == real


def test_the_points_of_influxdb_are_the_documented_ones() -> None:
    direct = batch([0])
    arrival = direct.arrivals[0]
    past_the_gateway = replace(
        direct,
        arrivals=(structs.replace(arrival, message=structs.replace(arrival.message, gateway_ns=None)),),
    )
    lines = [*line_protocol(direct), *change_markers([direct]), *timings(direct, 1)]
    fewer = [
        *line_protocol(past_the_gateway),
        *change_markers([past_the_gateway]),
        *timings(past_the_gateway, 1),
    ]
    real = {}
    for line, least in zip(lines, fewer, strict=True):
        name, kinds = _keys(line)
        always = _keys(least)[1]
        real[name] = {key: (kind, "yes" if key in always else "no") for key, kind in kinds.items()}
    assert described("InfluxDB") == real


def _keys(line: str) -> tuple[str, dict[str, str]]:
    """Measurement, and the kind of each tag and field, of a line without escapes."""
    series, fields = line.split(" ")[:2]
    measurement, *tags = series.split(",")
    found = {tag.partition("=")[0]: "tag" for tag in tags}
    for pair in fields.split(","):
        key, _, value = pair.partition("=")
        found[key] = _KINDS.get(value[-1], "float")
    return measurement, found
