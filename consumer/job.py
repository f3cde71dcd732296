"""What a job of the queue carries, as JSON, and how it becomes a batch again."""

import os
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from rq import get_current_job
from rq.job import Job

from pipeline.message import Arrival, Batch, Message
from pipeline.settings import read
from pipeline.store import open_store

TASK = "consumer.job.store"
"""The job's function by its dotted path: nothing but JSON is read from Redis."""


class MalformedJob(ValueError):
    """A job that this product did not make."""


def payload(consumer: str, queued_ns: int, arrivals: Sequence[Arrival]) -> dict[str, Any]:
    """The job's one argument."""
    rows = [
        (a.message.run, a.message.number, a.message.sent_ns, a.message.gateway_ns, a.arrived_ns)
        for a in arrivals
    ]
    return {"consumer": consumer, "queued_ns": queued_ns, "messages": rows}


def batch(job: Job, *, worker: str, taken_ns: int) -> Batch:
    """The batch that ``job`` carries, without the messages that an earlier job brought.

    Raises:
        MalformedJob: the job is not one of ``payload``.
    """
    try:
        data: Mapping[str, Any] = job.args[0]
        arrivals = _arrivals(data["messages"], frozenset(job.meta.get("duplicates", ())))
        return Batch(job.id, data["consumer"], worker, data["queued_ns"], taken_ns, arrivals)
    except Exception as error:  # whatever a foreign job makes RQ and this code stumble over
        raise MalformedJob(f"not a job of messages: {error!r}") from error


def _arrivals(rows: Sequence[Sequence[Any]], duplicates: Collection[int]) -> tuple[Arrival, ...]:
    return tuple(
        Arrival(Message(run, number, sent_ns, gateway_ns), arrived_ns)
        for index, (run, number, sent_ns, gateway_ns, arrived_ns) in enumerate(rows)
        if index not in duplicates
    )


def store(data: Mapping[str, Any]) -> None:
    """Write the current job's messages: what ``rq worker`` runs, which takes one job at a time.

    The product's own worker (``consumer.worker``) does not call it.
    """
    job = get_current_job()
    if job is None:
        raise RuntimeError("only a worker of RQ's can run this")
    opened = open_store(read(os.environ, "worker"))
    try:
        opened.write([batch(job, worker=job.worker_name or "rq", taken_ns=time.time_ns())])
    finally:
        opened.close()
