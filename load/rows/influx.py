"""The messages of a run in an InfluxDB 2 bucket.

Source: https://docs.influxdata.com/influxdb/v2/api/v2/#operation/PostQuery
"""

import csv
import json
from collections.abc import Iterator
from datetime import UTC, datetime

import requests

from load.rows.base import Unreadable
from load.target import InfluxTarget
from load.verdict import Row

TIMEOUT_S = 30.0
LAST_NS = 7_258_118_400 * 10**9
"""The year 2200: arrivals of a clock that is ahead count too."""
_CHUNK = 1 << 16


def rows(target: InfluxTarget, run: str) -> Iterator[Row]:
    """The rows of ``run``. Raises Unreadable, also where the answer ends early."""
    try:
        yield from _ask(target, run)
    except (requests.RequestException, ValueError) as error:
        raise Unreadable(f"InfluxDB at {target.url}: {error}") from error


def _ask(target: InfluxTarget, run: str) -> Iterator[Row]:
    body = {"query": _query(target.bucket, run), "dialect": {"annotations": [], "header": True}}
    answer = requests.post(
        f"{target.url}/api/v2/query",
        params={"org": target.org},
        headers={"Authorization": f"Token {target.token}", "Accept": "application/csv"},
        json=body,
        timeout=TIMEOUT_S,
        stream=True,
        verify=target.ca or True,
    )
    with answer:
        if answer.status_code != requests.codes.ok:
            raise ValueError(f"answered {answer.status_code}: {answer.text.strip()[:200]}")
        answer.encoding = "utf-8"
        yield from parse(_lines(answer.iter_content(_CHUNK, decode_unicode=True)))


def _query(bucket: str, run: str) -> str:
    return f"""
from(bucket: {json.dumps(bucket)}) |> range(start: 0, stop: time(v: {LAST_NS}))
  |> filter(fn: (r) => r._measurement == "message" and r._field == "number" and r.run == {json.dumps(run)})
  |> keep(columns: ["_time", "_value"])
"""


def _lines(chunks: Iterator[str]) -> Iterator[str]:
    """Lines that end in CR LF. (requests' reader adds an empty one where a chunk ends between the two.)"""
    rest = ""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split("\n")
        yield from (line.removesuffix("\r") for line in lines)
    if rest:
        yield rest


def parse(lines: Iterator[str]) -> Iterator[Row]:
    """The rows of tables of CSV, a header each. An error after the first rows comes as a table of its own."""
    header: list[str] = []
    seconds = _Seconds()
    for cells in csv.reader(lines):
        if not cells:
            header = []
        elif not header:
            header = cells
            if "error" in header:
                continue
            time_at, value_at = header.index("_time"), header.index("_value")
        elif "error" in header:
            raise ValueError(cells[header.index("error")])
        else:
            yield int(cells[value_at]), seconds.to_ns(cells[time_at])


class _Seconds:
    """RFC 3339 in UTC with up to nine decimals, to nanoseconds; remembers the second it saw last."""

    def __init__(self) -> None:
        self._text, self._ns = "", 0

    def to_ns(self, moment: str) -> int:
        second, _, fraction = moment.removesuffix("Z").partition(".")
        if second != self._text:
            parsed = datetime.fromisoformat(second).replace(tzinfo=UTC)
            self._text, self._ns = second, int(parsed.timestamp()) * 10**9
        return self._ns + int(fraction.ljust(9, "0"))
