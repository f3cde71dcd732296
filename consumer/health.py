"""Checks whether messages can be accepted: Redis responds, is configured safely and has room."""

import logging
import threading
from collections.abc import Callable

from grpc_health.v1 import health_pb2
from grpc_health.v1.health import HealthServicer
from redis import Redis, RedisError

from consumer import metrics
from consumer.admission import check_room, check_server
from consumer.callers import Callers
from consumer.rejections import QueueFull, QueueOutOfMemory, QueueUnfit
from consumer.replication import ReplicaWatch
from pipeline.queue import client as queue
from pipeline.queue import server_info
from pipeline.queue.server_info import ServerInfo
from pipeline.queue.service_state import State
from pipeline.queue.state_reporter import StateReporter

SERVICE = "fizzbuzz.v1.Consumer"
PERIOD_S = 1.0

Problem = tuple[State, str]
"""Why messages can't be accepted: a state, and a human-readable reason."""

log = logging.getLogger(__name__)


class HealthWatch:
    """Checks the queue once a second and publishes the result as ``grpc.health.v1``."""

    def __init__(  # noqa: PLR0913 - what it checks, and what it reports
        self,
        redis: Redis,
        servicer: HealthServicer,
        *,
        name: str,
        queue_limit: int,
        replicas: int = 0,
        last_commit_ns: Callable[[], int | None] = lambda: None,
        callers: Callers | None = None,
    ) -> None:
        self._name = name
        self._reporter = StateReporter(redis, name)
        self._last_commit_ns = last_commit_ns
        self._callers = callers
        self._redis = redis
        self._servicer = servicer
        self._queue_limit = queue_limit
        self._replicas_needed = replicas
        self._replicas = ReplicaWatch(redis, replicas) if replicas else None
        self._run_id = ""
        self._stop = threading.Event()
        self._problem: Problem | None = ("starting", "not checked yet")

    @property
    def ready(self) -> bool:
        """Whether messages could be accepted at the last check."""
        return self._problem is None

    @property
    def detail(self) -> str:
        """Why they could not, or which replicas have them too; else empty."""
        if self._problem:
            return self._problem[1]
        return f"Redis has {self._replicas.described}" if self._replicas else ""

    def run(self) -> None:
        """Check until ``stop``; runs in its own thread."""
        while not self._stop.is_set():
            self.check()
            self.report()
            self._stop.wait(PERIOD_S)
        self._reporter.report(("stopped", "", self._last_commit_ns()))

    def check(self) -> None:
        """Check once, and publish the result."""
        try:
            problem = self._check()
        except (RedisError, OSError) as error:
            problem = "queue_unreachable", f"Redis is unavailable: {error}"
        self._publish(problem)

    def stop(self) -> None:
        """Publish NOT_SERVING and end ``run``."""
        self._stop.set()
        self._servicer.enter_graceful_shutdown()

    def report(self) -> None:
        """Put this service's state, and those of its callers, where others read them."""
        state, reason = self._problem or ("ok", "")
        self._reporter.report((state, reason, self._last_commit_ns()))
        if self._callers:
            self._callers.report(self._redis)

    def _check(self) -> Problem | None:
        """Raises redis.RedisError, OSError."""
        info = server_info.read(self._redis)
        waiting = queue.waiting(self._redis)
        metrics.QUEUE_JOBS.set(queue.depth(self._redis))
        _export(info, waiting)
        is_another = info.run_id != self._run_id  # after a failover, with settings of its own
        if self._problem or is_another:
            _check_durability(self._redis)
        self._run_id = info.run_id
        return (
            self._rejection_reason(info, waiting)
            or self._lack_of_replicas(info)
            or _refusal(info, self._reporter.refusal)
        )

    def _lack_of_replicas(self, info: ServerInfo) -> Problem | None:
        if self._replicas is None:
            return None
        reason = info.unfit_for(self._replicas_needed) or self._replicas.problem()
        metrics.REPLICAS.set(sum(not one.problem for one in self._replicas.replicas))
        return ("queue_unreplicated", reason) if reason else None

    def _rejection_reason(self, info: ServerInfo, waiting: int) -> Problem | None:
        try:
            check_server(info)
            check_room(waiting, self._queue_limit)
        except QueueUnfit as error:
            return "queue_unfit", str(error)
        except QueueOutOfMemory as error:
            return "queue_memory", str(error)
        except QueueFull as error:
            return "queue_full", str(error)
        return None

    def _publish(self, problem: Problem | None) -> None:
        if problem != self._problem:
            log.log(
                logging.WARNING if problem else logging.INFO,
                "messages can be accepted" if problem is None else problem[1],
            )
        self._problem = problem
        status = health_pb2.HealthCheckResponse
        for service in ("", SERVICE):
            self._servicer.set(service, status.NOT_SERVING if problem else status.SERVING)


def _refusal(info: ServerInfo, of_report: str) -> Problem | None:
    """Redis answers, and refuses writes: as a replica, or for a reason that the last report met."""
    reason = info.refusal or of_report
    return ("queue_unreachable", f"Redis refuses writes: {reason}") if reason else None


def _export(info: ServerInfo, waiting: int) -> None:
    metrics.WAITING_MESSAGES.set(waiting)
    metrics.REDIS_MEMORY.set(info.used_bytes)
    metrics.REDIS_MEMORY_LIMIT.set(info.limit_bytes)


def _check_durability(redis: Redis) -> None:
    """Warn about an external Redis that is configured to respond before a write is on disk."""
    try:
        config = redis.config_get("append*")
    except (RedisError, OSError) as error:
        log.warning("can't check whether Redis has each write on disk before it responds: %s", error)
        return
    durable = config.get("appendonly") == "yes" and config.get("appendfsync") == "always"
    metrics.QUEUE_DURABLE.set(durable)
    if not durable:
        log.warning("Redis may lose accepted messages on power loss: set appendonly yes, appendfsync always")
