"""Runs the consumer: ``python -m consumer``."""

import gc
import logging
import signal
import sys
from concurrent.futures import ThreadPoolExecutor

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import HealthServicer
from grpc_reflection.v1alpha import reflection
from redis import Redis, RedisError

from consumer import listener
from consumer.arrival_clock import ArrivalClock, consumer_tag
from consumer.callers import Callers, ReportingHealth
from consumer.enqueuer import Enqueuer
from consumer.health import SERVICE, HealthWatch
from consumer.servicer import ConsumerServicer
from pipeline import admin_server, essential, grpc_keepalive, logs, tls_check
from pipeline.hosts import host_port
from pipeline.queue import client as queue
from pipeline.queue import server_info
from pipeline.settings import Settings, load_or_exit
from pipeline.stop import SIGNALS
from proto import fizzbuzz_pb2_grpc as pb_grpc

THREADS = 64
MAX_CALLS = 256
"""Calls running or waiting for a thread; any further call gets RESOURCE_EXHAUSTED at once. Four per thread:
a call waits for at most three others, which share commits."""

SWITCH_S = 0.0005
"""With Python's default switch interval a new call could wait 5 ms behind a running commit, which would delay
its arrival time."""

GRACE_S = 8.0
"""How long a stop waits for calls to finish."""

_OPTIONS = (
    ("grpc.so_reuseport", 0),  # a port in use is an error, not a second consumer behind the same port
    ("grpc.max_connection_age_ms", 60_000),  # so that gateways find new consumers
    ("grpc.max_connection_age_grace_ms", 10_000),
    *grpc_keepalive.SERVER,
)

log = logging.getLogger("consumer")


def main() -> int:
    """Serve until SIGTERM or SIGINT.

    Returns 0 after a clean stop, 1 if it can't listen, Redis can lose messages, or Sentinel does not know the
    primary, 2 if a setting is invalid.
    """
    settings = load_or_exit("consumer", tls_check.consumer)
    logs.setup(settings.name, settings.log_level)
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # in every thread: main waits for them
    sys.setswitchinterval(SWITCH_S)
    redis = queue.connect(settings.redis_url)
    if unsafe := queue.wrong_name(settings.redis_url) or _unsafe(redis, settings.redis_replicas):
        log.error("%s", unsafe)
        return 1
    callers = Callers()
    health = ReportingHealth(callers)
    enqueuer = _enqueuer(settings, redis)
    watch = HealthWatch(
        queue.connect(settings.redis_url, timeout_s=1.0),
        health,
        name=settings.name,
        queue_limit=settings.queue_limit,
        replicas=settings.redis_replicas,
        last_commit_ns=lambda: enqueuer.last_commit_ns,
        callers=callers,
    )
    server = _server(enqueuer, health)
    listens_on = host_port(settings.grpc_bind, settings.grpc_port)
    try:
        listener.add_port(server, listens_on, settings.grpc_tls)
    except RuntimeError:
        log.error("can't listen on %s: is the port in use? FIZZBUZZ_GRPC_PORT sets another", listens_on)
        return 1
    admin_server.serve_or_exit(settings, lambda: watch.ready, lambda: watch.detail)
    watching = essential.start("health", watch.run)
    gc.collect()
    gc.freeze()  # so that the collector does not scan the libraries during a call
    server.start()
    log.info("listening on %s", listens_on)
    signal.sigwait(SIGNALS)
    watch.stop()
    server.stop(GRACE_S).wait()
    watching.join(2.0)
    log.info("stopped")
    return 0


def _unsafe(redis: Redis, replicas: int) -> str | None:
    """Why this Redis can't be used. If it is unavailable now, the health check tests it later."""
    try:
        info = server_info.read(redis)
        return info.unfit or info.unfit_for(replicas)
    except (RedisError, OSError):
        return None


def _enqueuer(settings: Settings, redis: Redis) -> Enqueuer:
    return Enqueuer(
        redis,
        consumer=consumer_tag(),
        queue_limit=settings.queue_limit,
        dedupe_window_s=settings.dedupe_window_s,
        replicas=settings.redis_replicas,
    )


def _server(enqueuer: Enqueuer, health: HealthServicer) -> grpc.Server:
    clock = ArrivalClock()
    pool = ThreadPoolExecutor(THREADS, thread_name_prefix="call")
    server = grpc.server(pool, interceptors=[clock], options=_OPTIONS, maximum_concurrent_rpcs=MAX_CALLS)
    pb_grpc.add_ConsumerServicer_to_server(ConsumerServicer(enqueuer, clock), server)
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    names = (SERVICE, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name, reflection.SERVICE_NAME)
    reflection.enable_server_reflection(names, server)
    return server


if __name__ == "__main__":
    sys.exit(main())
