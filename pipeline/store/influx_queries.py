"""The Flux that the store asks with. The values put in are integers and a checked bucket name.

Source: https://docs.influxdata.com/flux/v0/
"""

import json

from pipeline.store.influx_history import SLICE_NS


def _stretch(bucket: str, start_ns: int, stop_ns: int) -> str:
    start, stop = f"time(v: {start_ns})", f"time(v: {stop_ns})"
    return f"from(bucket: {json.dumps(bucket)}) |> range(start: {start}, stop: {stop})"


def notes(bucket: str, start_ns: int, stop_ns: int) -> str:
    """The notes of writes made from ``start_ns`` on."""
    return f"""
{_stretch(bucket, start_ns, stop_ns)}
  |> filter(fn: (r) => r._measurement == "write" and (r._field == "first_ns" or r._field == "last_ns"))
  |> keep(columns: ["_time", "_field", "_value", "worker"])
"""


def counts(bucket: str, start_ns: int, stop_ns: int) -> str:
    """Sums, maxima and first times of the batches in each slice, a row a series."""
    every = f"{SLICE_NS}ns"
    keep = 'keep(columns: ["_time", "_start", "_field", "_value", "run"])'
    return f"""
batches = {_stretch(bucket, start_ns, stop_ns)} |> filter(fn: (r) => r._measurement == "batch")
batches
  |> filter(fn: (r) => r._field == "count" or r._field == "late")
  |> window(every: {every}) |> sum() |> {keep} |> yield(name: "sum")
batches
  |> filter(fn: (r) => r._field == "highest" or r._field == "last_ns")
  |> window(every: {every}) |> max() |> {keep} |> yield(name: "max")
batches
  |> filter(fn: (r) => r._field == "taken_ns")
  |> window(every: {every}) |> first() |> {keep} |> yield(name: "first")
"""


def window(bucket: str, start_ns: int, stop_ns: int) -> str:
    """The transmission times in rising order, and sums from which the mean of each hop follows."""
    sums = ("count", "queue_sum_ns", "store_sum_ns", "store_count")
    of_batches = " or ".join(f'r._field == "{name}"' for name in sums)
    return f"""
stretch = {_stretch(bucket, start_ns, stop_ns)}
stretch
  |> filter(fn: (r) => r._measurement == "message" and r._field == "transmission_ms")
  |> group() |> keep(columns: ["_value"]) |> sort() |> yield(name: "transmissions")
stretch
  |> filter(fn: (r) => r._measurement == "message" and r._field == "gateway_ms")
  |> group(columns: ["_field"]) |> mean() |> keep(columns: ["_field", "_value"]) |> yield(name: "mean")
stretch
  |> filter(fn: (r) => r._measurement == "batch" and ({of_batches}))
  |> sum() |> group(columns: ["_field"]) |> sum() |> keep(columns: ["_field", "_value"])
  |> yield(name: "sum")
"""
