"""What a write did, and what is stored of one message."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class WrittenBatch:
    """The outcome of one batch; each dictionary has counts by run, and no run with 0."""

    added: dict[str, int] = field(default_factory=dict)
    """Messages that this write added."""
    repeats: dict[str, int] = field(default_factory=dict)
    """Messages that were there already from another job, so that they can't be added."""


Written = Mapping[str, WrittenBatch]
"""The outcome of each batch of a write, by the batch's id."""


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message as the database has it. All times are Unix nanoseconds; None where it has none."""

    run: str
    number: int
    sent_ns: int
    gateway_ns: int | None
    arrived_ns: int
    queued_ns: int | None
    taken_ns: int | None
    stored_ns: int | None
    job: str | None
    worker: str | None
    consumer: str | None


def job_of(batch_id: str) -> str:
    """The job that a batch came from: a batch that is written in pieces gives them ids ``JOB.0``, ``JOB.1``.

    RQ allows no dot in an id.
    """
    return batch_id.partition(".")[0]
