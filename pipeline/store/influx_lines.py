"""Line protocol: what a batch looks like in InfluxDB.

``message``  one point a message, at its arrival.
``batch``    one point a batch and run, at the first arrival of that run in it: sums, so that totals
             need not touch the messages. Its key follows from the batch, so a second write changes nothing.
``write``    one point a batch, at the time of writing: tells a reader which stretch of arrivals changed.

Source: https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol/
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from pipeline.clock import NS_PER_MS
from pipeline.message import Arrival, Batch
from pipeline.store.base import LATE_NS

_TAG = str.maketrans({",": r"\,", "=": r"\=", " ": r"\ "})
_STRING = str.maketrans({'"': r"\"", "\\": r"\\"})


def lines(batch: Batch) -> Iterator[str]:
    """The points of ``batch``, without those that tell readers of it."""
    consumer = batch.consumer.translate(_TAG)
    for arrival in batch.arrivals:
        yield _message(arrival, consumer)
    for run, arrivals in by_run(batch.arrivals).items():
        yield _summary(batch, run, arrivals, consumer)


def notes(batches: Iterable[Batch], written_ns: int) -> Iterator[str]:
    """The points that tell readers what changed, a nanosecond apart."""
    for offset_ns, batch in enumerate(batches):
        moments = [arrival.arrived_ns for arrival in batch.arrivals]
        worker = batch.worker.translate(_TAG)
        ends = f"first_ns={min(moments)}i,last_ns={max(moments)}i"
        yield f"write,worker={worker} {ends} {written_ns + offset_ns}"


def stored(batch: Batch, stored_ns: int) -> Iterator[str]:
    """Adds to the summaries of ``batch`` when it was stored, which is only known afterwards."""
    consumer = batch.consumer.translate(_TAG)
    for run, arrivals in by_run(batch.arrivals).items():
        sum_ns = (stored_ns - batch.taken_ns) * len(arrivals)
        fields = f"stored_ns={stored_ns}i,store_sum_ns={sum_ns}i,store_count={len(arrivals)}i"
        yield f"batch,consumer={consumer},run={run} {fields} {arrivals[0].arrived_ns}"


def rejected(batch: Batch) -> Iterator[str]:
    """Takes back the summaries of a batch whose messages were refused."""
    consumer = batch.consumer.translate(_TAG)
    for run, arrivals in by_run(batch.arrivals).items():
        yield (
            f"batch,consumer={consumer},run={run} count=0i,late=0i,highest=-1i,queue_sum_ns=0i"
            f" {arrivals[0].arrived_ns}"
        )


def by_run(arrivals: Sequence[Arrival]) -> dict[str, list[Arrival]]:
    """The arrivals of each run, in rising order."""
    runs: dict[str, list[Arrival]] = defaultdict(list)
    for arrival in sorted(arrivals, key=lambda arrival: arrival.arrived_ns):
        runs[arrival.message.run].append(arrival)
    return runs


def _message(arrival: Arrival, consumer: str) -> str:
    message = arrival.message
    gateway = ""
    if message.gateway_ns is not None:
        gateway = f",gateway_ms={(message.gateway_ns - message.sent_ns) / NS_PER_MS!r}"
    return (
        f"message,consumer={consumer},run={message.run} number={message.number}i,sent_ns={message.sent_ns}i,"
        f"transmission_ms={arrival.transmission_ns / NS_PER_MS!r}{gateway} {arrival.arrived_ns}"
    )


def _summary(batch: Batch, run: str, arrivals: Sequence[Arrival], consumer: str) -> str:
    highest = max(arrival.message.number for arrival in arrivals)
    late = sum(arrival.transmission_ns > LATE_NS for arrival in arrivals)
    queue_sum_ns = sum(batch.taken_ns - arrival.arrived_ns for arrival in arrivals)
    return (
        f"batch,consumer={consumer},run={run} count={len(arrivals)}i,highest={highest}i,late={late}i,"
        f"last_ns={arrivals[-1].arrived_ns}i,queued_ns={batch.queued_ns}i,taken_ns={batch.taken_ns}i,"
        f'queue_sum_ns={queue_sum_ns}i,worker="{batch.worker.translate(_STRING)}" {arrivals[0].arrived_ns}'
    )
