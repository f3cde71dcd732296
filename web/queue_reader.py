"""What the service reads from Redis each second, in one round trip."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from redis import Redis, RedisError
from redis.exceptions import NoScriptError, ResponseError

from pipeline.message import ClockOffset
from pipeline.queue import failed_jobs, keys, ledger, server_info, service_state
from pipeline.queue.failed_jobs import FailedSummary
from pipeline.queue.ledger import QueueLedger
from pipeline.queue.server_info import ServerInfo
from pipeline.queue.service_state import ServiceState
from web import event_store
from web.event_log import Event
from web.event_store import StoredEvents
from web.queue_pipeline import Packed, QueuePipeline


@dataclass(frozen=True, slots=True)
class QueueRequest:
    """What a reading asks for."""

    runs: Sequence[str] = ()
    """The runs that are shown."""
    events: Sequence[Event] = ()
    """Events that Redis should keep."""
    baseline: int | None = None
    """Messages that were accepted before Redis had a ledger, where it has no such number yet."""


@dataclass(frozen=True, slots=True)
class QueueSample:
    """The queue at one moment."""

    ledger: QueueLedger
    services: Sequence[ServiceState] = ()
    clock_offsets: Mapping[str, ClockOffset] = field(default_factory=dict)
    """Between a run's sender and the consumer, by run, where the sender reported it."""
    failed: FailedSummary | None = None
    """Some of the failed jobs; None where there are none."""
    server: ServerInfo | None = None
    events: StoredEvents | None = None
    """None where Redis refused to keep and return them."""
    refusal: str = ""
    """Why Redis refuses every write, other than for lack of replicas; empty where it is not known to."""


class QueueReader:
    """Reads the queue through ``redis``, for the replica of this name."""

    def __init__(self, redis: Redis, replica: str) -> None:
        self._pipeline = QueuePipeline(redis)
        self._replica = replica
        self._asked: tuple[QueueRequest, bool] | None = None  # what is packed: mostly the same each second
        self._packed = Packed(0, [])

    def read(self, request: QueueRequest) -> QueueSample:
        """The queue as it is now; ``request.events`` are kept if this replica writes the log.

        Raises redis.RedisError.
        """
        answers = self._ask(request)
        if any(isinstance(answer, NoScriptError) for answer in answers):
            answers = self._ask(request, by_digest=False)  # from now on Redis knows the scripts
        counts, states, server, events, failed, *_ = answers  # a baseline's answer follows
        _raise(counts, states)
        known, about = ledger.parse(counts), server_info.parse(server)
        return QueueSample(
            ledger=known,
            services=service_state.parse(states),
            clock_offsets={run: clock for run in request.runs if (clock := known.runs[run].clock)},
            failed=failed_jobs.parse(failed),
            server=about,
            events=event_store.parse(events),
            refusal=_refusal(about, events),
        )

    def _ask(self, request: QueueRequest, *, by_digest: bool = True) -> list[Any]:
        """The answer to each command, which may be an error."""
        if self._asked != (request, by_digest):
            self._packed, self._asked = self._pack(request, by_digest=by_digest), (request, by_digest)
        return self._pipeline.exchange(self._packed)

    def _pack(self, request: QueueRequest, *, by_digest: bool) -> Packed:
        pipeline = self._pipeline
        pipeline.by_digest = by_digest
        with pipeline:
            ledger.ask(pipeline, request.runs)
            pipeline.hvals(keys.STATES)
            server_info.ask(pipeline)
            event_store.exchange(pipeline, self._replica, request.events)
            failed_jobs.ask(pipeline)
            if request.baseline is not None:
                pipeline.hsetnx(keys.LEDGER, "baseline", request.baseline)
            return pipeline.pack()


def _refusal(server: ServerInfo, events: Any) -> str:
    """The log's writer writes every 15 s: until then a failed snapshot is not known to be the cause."""
    is_told = isinstance(events, ResponseError) and "MISCONF" in str(events)
    return server.refusal or (str(events) if is_told else "")


def _raise(*answers: Any) -> None:
    """Raise the first answer that is an error."""
    for answer in answers:
        if isinstance(answer, RedisError):
            raise answer
