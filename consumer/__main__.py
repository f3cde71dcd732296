"""Runs the consumer: ``python -m consumer``."""

import gc
import logging
import secrets
import signal
import socket
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import HealthServicer
from grpc_reflection.v1alpha import reflection
from redis import Redis

from consumer.arrival import Arrivals
from consumer.health import SERVICE, HealthWatch
from consumer.intake import Intake
from consumer.service import ConsumerService
from pipeline import logs, ops, queue
from pipeline.settings import Settings, host_port, load_or_exit
from proto import fizzbuzz_pb2_grpc as pb_grpc

THREADS = 64
SWITCH_S = 0.0005
"""A call that arrives takes its turn from a commit that computes; Python's 5 ms would be in its arrival."""

GRACE_S = 8.0
"""A stop lets calls finish for as long as this."""

_OPTIONS = (
    ("grpc.so_reuseport", 0),  # a taken port is an error, not a second consumer behind the same port
    ("grpc.max_connection_age_ms", 60_000),  # so that gateways find consumers that were added
    ("grpc.max_connection_age_grace_ms", 10_000),
)

_STOPS = {signal.SIGTERM, signal.SIGINT}

log = logging.getLogger("consumer")


def main() -> int:
    """Serve until SIGTERM or SIGINT; 0 after a clean stop, 2 where a setting makes no sense."""
    settings = load_or_exit("consumer")
    logs.setup(settings.name, settings.log_level)
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)  # every thread's: main waits for them
    sys.setswitchinterval(SWITCH_S)
    redis = queue.connect(settings.redis_url)
    health = HealthServicer(experimental_non_blocking=True)
    watch = HealthWatch(
        queue.connect(settings.redis_url, timeout_s=1.0),
        health,
        name=settings.name,
        queue_limit=settings.queue_limit,
    )
    server = _server(_intake(settings, redis), health)
    listens_on = host_port(settings.bind, settings.grpc_port)
    try:
        server.add_insecure_port(listens_on)
    except RuntimeError:
        log.error("can't listen on %s: is the port taken? FIZZBUZZ_GRPC_PORT sets another", listens_on)
        return 1
    ops.serve(settings, lambda: watch.ready)
    threading.Thread(target=watch.run, name="health", daemon=True).start()
    gc.collect()
    gc.freeze()  # the collector need not look through the libraries while a call waits
    server.start()
    log.info("listening on %s", listens_on)
    signal.sigwait(_STOPS)
    watch.stop()
    server.stop(GRACE_S).wait()
    log.info("stopped")
    return 0


def _intake(settings: Settings, redis: Redis) -> Intake:
    return Intake(
        redis,
        consumer=f"{socket.gethostname()}-{secrets.token_hex(4)}",
        queue_limit=settings.queue_limit,
        dedupe_window_s=settings.dedupe_window_s,
    )


def _server(intake: Intake, health: HealthServicer) -> grpc.Server:
    arrivals = Arrivals()
    pool = ThreadPoolExecutor(THREADS, thread_name_prefix="call")
    server = grpc.server(pool, interceptors=[arrivals], options=_OPTIONS)
    pb_grpc.add_ConsumerServicer_to_server(ConsumerService(intake, arrivals), server)
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    names = (SERVICE, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name, reflection.SERVICE_NAME)
    reflection.enable_server_reflection(names, server)
    return server


if __name__ == "__main__":
    sys.exit(main())
