"""The data model in InfluxDB, as line protocol.

``message``  one point per message, at its arrival. Everything that is counted is counted from these.
``write``    one point per write request, at the time of the server: which slices of arrivals it changed.
``batch``    one point per batch and run, at the first arrival of that run in it: when it was queued,
             dequeued and stored, by which job and worker. Written after the messages; no total depends on it.

Source: https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol/
"""

from collections.abc import Iterable, Iterator

from pipeline.clock import NS_PER_MS, NS_PER_S
from pipeline.message import Arrival, Batch
from pipeline.store.base import MessageRejected
from pipeline.store.written import job_of

SLICE_NS = 60 * NS_PER_S
"""Arrivals are counted by slices of this length."""

ALL_SLICES = "all"
"""In a change marker: too many slices changed to name them."""

MAX_SLICES = 1_000
"""Slices that a change marker names at most: a string may have 64 KB."""

_INT64 = 2**63 - 1
_TAG = str.maketrans({",": r"\,", "=": r"\=", " ": r"\ ", "\n": r"\n"})
_STRING = str.maketrans({'"': r"\"", "\\": r"\\"})


def line_protocol(batch: Batch) -> Iterator[str]:
    """The messages of ``batch``. Raises MessageRejected where a value is not of its type."""
    consumer = batch.consumer.translate(_TAG)
    try:
        for arrival in batch.arrivals:
            yield _message(arrival, consumer)
    except (TypeError, ValueError, ArithmeticError, AttributeError) as error:
        raise MessageRejected(f"a value is not of its type: {error}") from error


def change_markers(batches: Iterable[Batch]) -> Iterator[str]:
    """The point that names the slices which change.

    It has no time: the server sets its own, so that no other clock matters. The line must be in the same
    request as the messages.
    """
    batches = list(batches)
    slices = {a.arrived_ns // SLICE_NS * SLICE_NS // NS_PER_S for batch in batches for a in batch.arrivals}
    named = " ".join(map(str, sorted(slices))) if len(slices) <= MAX_SLICES else ALL_SLICES
    yield f'write,worker={batches[0].worker.translate(_TAG)} slices="{named}"'


def all_changed(worker: str) -> str:
    """The point that says that any slice may have changed."""
    return f'write,worker={worker.translate(_TAG)} slices="{ALL_SLICES}"'


def timings(batch: Batch, stored_ns: int) -> Iterator[str]:
    """When ``batch`` was queued, dequeued and stored. Sums are floats: they can't overflow."""
    consumer = batch.consumer.translate(_TAG)
    worker = batch.worker.translate(_STRING)
    times = (("queued_ns", batch.queued_ns), ("taken_ns", batch.taken_ns), ("stored_ns", stored_ns))
    moments = ",".join(f"{name}={_clamp(moment_ns)}i" for name, moment_ns in times)
    for run, arrivals in batch.by_run().items():
        queue_ms = sum((batch.taken_ns - arrival.arrived_ns) / NS_PER_MS for arrival in arrivals)
        persist_ms = sum((batch.queued_ns - arrival.arrived_ns) / NS_PER_MS for arrival in arrivals)
        store_ms = (stored_ns - batch.taken_ns) / NS_PER_MS * len(arrivals)
        first_ns = min(arrival.arrived_ns for arrival in arrivals)
        yield (
            f"batch,consumer={consumer},run={run.translate(_TAG)} count={len(arrivals)}i,{moments},"
            f"queue_sum_ms={queue_ms!r},persist_sum_ms={persist_ms!r},store_sum_ms={store_ms!r},"
            f'job="{job_of(batch.id).translate(_STRING)}",worker="{worker}" {first_ns}'
        )


def _message(arrival: Arrival, consumer: str) -> str:
    message = arrival.message
    gateway = ""
    if message.gateway_ns is not None:
        gateway = f",gateway_ms={(message.gateway_ns - message.sent_ns) / NS_PER_MS!r}"
    return (
        f"message,consumer={consumer},run={message.run.translate(_TAG)} number={message.number}i,"
        f"sent_ns={message.sent_ns}i,transmission_ms={arrival.transmission_ns / NS_PER_MS!r}{gateway}"
        f" {arrival.arrived_ns}"
    )


def _clamp(value: int) -> int:
    return max(-_INT64, min(value, _INT64))
