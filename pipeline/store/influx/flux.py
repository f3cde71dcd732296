"""The Flux queries of the store. Only numbers and quoted names are inserted.

Each yield has a ``from()`` of its own: only then does the storage engine do the counting. Measured with
864,000 messages stored: the five yields of ``counts`` 0.07 s, from one shared stream 9 s.

Source: https://docs.influxdata.com/flux/v0/
"""

import json
from collections.abc import Iterable, Mapping

from pipeline.clock import NS_PER_MS, NS_PER_S
from pipeline.message import check_run
from pipeline.store.figures import LATE_NS, OFF_NS

END_NS = 9_214_646_400_000_000_000
"""2262-01-01. InfluxDB's times end in April of that year."""

BATCH_NS = 3_600 * NS_PER_S
"""A message's batch is searched for this long before it: a batch begins with the first arrival of its job."""

_BATCH_SUMS = ("count", "queue_sum_ms", "store_sum_ms", "persist_sum_ms")


def changes(bucket: str, since_ns: int) -> str:
    """The server's clock, and the ``slices`` of the writes from ``since_ns`` (of that clock) on."""
    return f"""
import "array"
array.from(rows: [{{_value: int(v: now())}}]) |> yield(name: "now")
{_points(bucket, since_ns, END_NS, "write", ["slices"])}
  |> group() |> distinct() |> yield(name: "slices")
"""


def bounds(bucket: str) -> str:
    """The first and the last arrival of each series."""
    times = _points(bucket, 0, END_NS, "message", ["transmission_ms"])
    keep = 'group() |> keep(columns: ["_time"])'
    return "".join(f'{times} |> {end}() |> {keep} |> yield(name: "{end}")\n' for end in ("first", "last"))


def counts(bucket: str, start_ns: int, stop_ns: int, every_ns: int) -> str:
    """The figures of each run in each window of ``every_ns``: a row per yield, window and series."""
    numbers = _points(bucket, start_ns, stop_ns, "message", ["number"])
    times = _points(bucket, start_ns, stop_ns, "message", ["transmission_ms"])
    return "".join(_windowed(*figure, every_ns) for figure in _figures(numbers, times))


def figures_of_run(bucket: str, run: str) -> str:
    """The same figures of a run, over all times: a row per yield and series."""
    keep = 'keep(columns: ["_time", "_value"])'
    numbers, times = _of_run(bucket, run, "number"), _of_run(bucket, run, "transmission_ms")
    return "".join(
        f'{points} |> {function}() |> {keep} |> yield(name: "{name}")\n'
        for points, function, name in _figures(numbers, times)
    )


def _figures(numbers: str, times: str) -> tuple[tuple[str, str, str], ...]:
    """What is counted of them: the points, a function, and its name."""
    late = f"{times} |> filter(fn: (r) => r._value > {_ms(LATE_NS)})"
    return (
        (times, "count", "stored"),
        (numbers, "max", "highest"),
        (times, "first", "first"),
        (times, "last", "last"),
        (late, "count", "late"),
    )


def sizes(bucket: str, start_ns: int, stop_ns: int, every_ns: int) -> str:
    """How many messages each run has in each window of ``every_ns``."""
    times = _points(bucket, start_ns, stop_ns, "message", ["transmission_ms"])
    return _windowed(times, "count", "stored", every_ns)


def window(bucket: str, start_ns: int, stop_ns: int, near: str = "") -> str:
    """The transmission times, and figures from which the mean of each hop follows.

    Args:
        near: the condition of messages that are not left out (``near``); by default all are included.
    """
    by_field = 'group(columns: ["_field"])'
    keep = 'keep(columns: ["_field", "_value"])'
    only = f" |> filter(fn: (r) => {near})" if near else ""
    times = _points(bucket, start_ns, stop_ns, "message", ["transmission_ms"])
    gateway = _points(bucket, start_ns, stop_ns, "message", ["gateway_ms"])
    batches = _points(bucket, start_ns, stop_ns, "batch", _BATCH_SUMS)
    return f"""
{times}{only} |> group() |> keep(columns: ["_value"]) |> yield(name: "transmissions")
{gateway}{only} |> {by_field} |> mean() |> {keep} |> yield(name: "mean")
{gateway}{only} |> {by_field} |> count() |> {keep} |> yield(name: "gateway")
{batches} |> {by_field} |> sum() |> {keep} |> yield(name: "sum")
"""


def early(bucket: str, start_ns: int, stop_ns: int) -> str:
    """The last message of each run that arrived before it was sent."""
    times = _points(bucket, start_ns, stop_ns, "message", ["transmission_ms"])
    return f'{times} |> filter(fn: (r) => r._value < 0.0) |> last() |> keep(columns: ["_time"])'


def near(offsets_ns: Mapping[str, int]) -> str:
    """The condition of values that are at most ``OFF_NS`` from the clock offset of their run."""
    offset = ""
    for run, offset_ns in offsets_ns.items():
        offset += f"if r.run == {json.dumps(check_run(run))} then {_ms(offset_ns)} else "
    value = f"r._value - ({offset}0.0)" if offset else "r._value"
    return f"{value} >= {_ms(-OFF_NS)} and {value} <= {_ms(OFF_NS)}"


def stored(bucket: str, run: str) -> str:
    """How many messages of a run there are: a row for each series."""
    return f"{_of_run(bucket, run, 'transmission_ms')} |> count()"


def numbers(bucket: str, run: str, most: int) -> str:
    """The highest numbers of a run, in falling order."""
    numbers = _of_run(bucket, run, "number")
    return f'{numbers} |> group() |> keep(columns: ["_value"]) |> top(n: {most})'


def message(bucket: str, run: str, number: int) -> str:
    """The arrival of a message and its consumer; more than one row if it was accepted more than once."""
    numbers = _of_run(bucket, run, "number")
    keep = 'keep(columns: ["_time", "consumer"])'
    return f"{numbers} |> filter(fn: (r) => r._value == {number}) |> group() |> {keep}"


def point(bucket: str, run: str, consumer: str, arrived_ns: int) -> str:
    """All fields of a message, and of its batch: the last one whose first arrival is not after it."""
    here = f"r.run == {_quoted(run)} and r.consumer == {_quoted(consumer)}"
    keep = 'keep(columns: ["_field", "_value"])'
    return "".join(
        f"from(bucket: {_quoted(bucket)})"
        f" |> range(start: time(v: {start_ns}), stop: time(v: {arrived_ns + 1}))"
        f' |> filter(fn: (r) => r._measurement == "{measurement}" and {here})'
        f' |> last() |> toString() |> group() |> {keep} |> yield(name: "{measurement}")\n'
        for measurement, start_ns in (("message", arrived_ns), ("batch", max(0, arrived_ns - BATCH_NS)))
    )


def _ms(ns: int) -> str:
    """Milliseconds as Flux reads them: it has no exponents."""
    return f"{ns / NS_PER_MS:.6f}"


def _quoted(text: str) -> str:
    """A string literal; a dollar sign would begin an expression in it."""
    return json.dumps(text, ensure_ascii=False).replace("$", r"\x24")


def _of_run(bucket: str, run: str, field: str) -> str:
    """One field of all messages of a run."""
    points = _points(bucket, 0, END_NS, "message", [field])
    return f"{points} |> filter(fn: (r) => r.run == {_quoted(run)})"


def _points(bucket: str, start_ns: int, stop_ns: int, measurement: str, fields: Iterable[str]) -> str:
    named = " or ".join(f'r._field == "{field}"' for field in fields)
    return (
        f"from(bucket: {_quoted(bucket)})"
        f" |> range(start: time(v: {start_ns}), stop: time(v: {stop_ns}))"
        f' |> filter(fn: (r) => r._measurement == "{measurement}" and ({named}))'
    )


def _windowed(points: str, function: str, name: str, every_ns: int) -> str:
    keep = 'keep(columns: ["_time", "_start", "_value", "run"])'
    return f'{points} |> window(every: {every_ns}ns) |> {function}() |> {keep} |> yield(name: "{name}")\n'
