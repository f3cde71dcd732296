"""What a system's InfluxDB holds, asked for with the readers' token from this machine."""

import csv
import io
import json
import urllib.request
from collections.abc import Mapping
from datetime import datetime

from tests.support import behind_proxy

_EVERYTHING = """
from(bucket: "messages") |> range(start: 0)
  |> filter(fn: (r) => r._measurement == "message" and r.run == "{run}" and r._field == "{field}")
  |> group() |> keep(columns: ["_time", "_value"])
"""


def field(environment: Mapping[str, str], run: str, name: str) -> list[str]:
    """The field ``name`` of each point of ``run``, doubled ones included."""
    return [row["_value"] for row in ask(environment, _EVERYTHING.format(run=run, field=name))]


def numbers(environment: Mapping[str, str], run: str) -> list[int]:
    """The numbers of each point of ``run``, doubled ones included, in rising order."""
    return sorted(map(int, field(environment, run, "number")))


def arrivals(environment: Mapping[str, str], run: str) -> dict[int, datetime]:
    """The arrival of each number of ``run``, to whole microseconds."""
    rows = ask(environment, _EVERYTHING.format(run=run, field="number"))
    return {int(row["_value"]): datetime.fromisoformat(row["_time"]) for row in rows}


def ask(environment: Mapping[str, str], flux: str) -> list[dict[str, str]]:
    """The rows that a query finds."""
    body = json.dumps({"query": flux, "dialect": {"annotations": []}}).encode()
    request = urllib.request.Request(f"{environment['INFLUXDB_URL']}/api/v2/query?org=fizzbuzz", body)
    request.add_header("Authorization", f"Token {environment['INFLUXDB_TOKEN']}")
    request.add_header("Content-Type", "application/json")
    tables = behind_proxy.read(request).decode().replace("\r", "").strip().split("\n\n")
    return [row for table in tables for row in csv.DictReader(io.StringIO(table))]
