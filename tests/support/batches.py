"""Batches for tests."""

import itertools
from collections.abc import Iterable

from pipeline.clock import NS_PER_MS, NS_PER_S
from pipeline.message import Arrival, Batch, Message

NOON_NS = 1_767_268_800 * NS_PER_S
"""2026-01-01T12:00:00Z, from where tests count."""

_ids = itertools.count()


def batch(
    numbers: Iterable[int],
    *,
    run: str = "run-1",
    at_ns: int = NOON_NS,
    transmission_ms: float = 3.0,
    consumer: str = "consumer-1",
    job: str = "",
) -> Batch:
    """Messages of one run that arrive a microsecond apart from ``at_ns`` on.

    They took 1 ms to the gateway, were queued after 1 ms and dequeued by a worker after 2 ms.
    """
    arrivals = tuple(
        arrival(number, run, at_ns + index * 1_000, transmission_ms) for index, number in enumerate(numbers)
    )
    queued_ns, taken_ns = at_ns + NS_PER_MS, at_ns + 2 * NS_PER_MS
    return Batch(job or f"job-{next(_ids)}", consumer, "worker-1", queued_ns, taken_ns, arrivals)


def arrival(number: int, run: str, arrived_ns: int, transmission_ms: float) -> Arrival:
    """One message that took ``transmission_ms`` to the consumer, the first of it to the gateway."""
    sent_ns = arrived_ns - round(transmission_ms * NS_PER_MS)
    return Arrival(Message(run, number, sent_ns, sent_ns + NS_PER_MS), arrived_ns)
