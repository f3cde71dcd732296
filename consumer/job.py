"""What a job of the queue carries, as JSON; the worker turns it back into a batch."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pipeline.message import Arrival, Batch, Message

TASK = "consumer.worker.store"
"""The job's function by its dotted path: nothing but JSON is read from Redis."""


def payload(consumer: str, queued_ns: int, arrivals: Sequence[Arrival]) -> dict[str, Any]:
    """The job's one argument."""
    rows = [
        (a.message.run, a.message.number, a.message.sent_ns, a.message.gateway_ns, a.arrived_ns)
        for a in arrivals
    ]
    return {"consumer": consumer, "queued_ns": queued_ns, "messages": rows}


def batch(
    job_id: str, data: Mapping[str, Any], *, without: Collection[int], worker: str, taken_ns: int
) -> Batch:
    """The batch that ``payload`` made ``data`` of, but the messages at the indices ``without``."""
    arrivals = tuple(
        Arrival(Message(run, number, sent_ns, gateway_ns), arrived_ns)
        for index, (run, number, sent_ns, gateway_ns, arrived_ns) in enumerate(data["messages"])
        if index not in without
    )
    return Batch(job_id, data["consumer"], worker, data["queued_ns"], taken_ns, arrivals)
