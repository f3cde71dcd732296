"""Why messages were not accepted: the queue is full, Redis is unavailable, a run is somebody else's."""

from collections.abc import Collection

from grpc import StatusCode
from redis import RedisError
from redis.exceptions import ExecAbortError, OutOfMemoryError

from pipeline.queue.replication import NotReplicated

_LONGEST_REASON = 200


class Rejection(Exception):
    """Why a call is rejected; its text is for the sender."""

    code: StatusCode
    """The call's status."""
    reason: str
    """The label of the metric."""


class QueueFull(Rejection):
    """As many messages wait as the limit allows. Nothing was queued."""

    code = StatusCode.RESOURCE_EXHAUSTED
    reason = "queue_full"


class QueueOutOfMemory(QueueFull):
    """Redis has no memory left for more messages. Nothing was queued."""

    reason = "queue_memory"


class ForeignRun(Rejection):
    """A run belongs to another sender. Nothing was queued."""

    code = StatusCode.PERMISSION_DENIED
    reason = "foreign_run"

    def __init__(self, claims: Collection[tuple[str, str]]) -> None:
        runs = sorted({run for run, _ in claims})
        super().__init__(f"the run {runs[0]} belongs to another sender" if runs else "no run")
        self.claims = frozenset(claims)
        """Run and owner of each rejected claim."""


class QueueUnavailable(Rejection):
    """Redis is unavailable or can't write. Whether the messages were queued is not known."""

    code = StatusCode.UNAVAILABLE
    reason = "queue_unreachable"


class QueueUnfit(QueueUnavailable):
    """This Redis can lose what it accepted. Nothing was queued."""

    reason = "queue_unfit"


class QueueUnreplicated(QueueUnavailable):
    """Too few replicas of Redis have it on disk. What was queued all the same is a duplicate if repeated."""

    reason = "queue_unreplicated"


def explained(error: RedisError | OSError) -> QueueFull | QueueUnavailable:
    """What an error of Redis means.

    Memory may run out during a transaction; Redis then aborts all of it.

    redis-py puts the whole command before Redis's own text; the sender gets the text only.
    """
    text = str(error).rpartition("caused error: ")[2][:_LONGEST_REASON]
    aborted = isinstance(error, ExecAbortError) and "OOM" in text
    if aborted or isinstance(error, OutOfMemoryError):
        return QueueOutOfMemory(f"Redis has no memory left: {text}")
    if isinstance(error, NotReplicated):
        return QueueUnreplicated(f"Redis: {text}")
    if text.startswith("NOREPLICAS"):  # as min-replicas-to-write says
        return QueueUnreplicated(f"too few replicas of Redis: {text}")
    return QueueUnavailable(f"Redis: {text}")
