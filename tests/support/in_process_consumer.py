"""A real gRPC consumer in the process of a test."""

from grpc_health.v1.health import HealthServicer
from redis import Redis

from consumer.__main__ import _server
from consumer.enqueuer import Enqueuer
from consumer.health import HealthWatch


class Consumer:
    """Accepts calls until ``stop``."""

    def __init__(self, redis: Redis, *, queue_limit: int = 100_000) -> None:
        enqueuer = Enqueuer(redis, "consumer-1", queue_limit=queue_limit, dedupe_window_s=60)
        self.health = HealthServicer()
        self.server = _server(enqueuer, self.health)
        self.address = f"127.0.0.1:{self.server.add_insecure_port('127.0.0.1:0')}"
        self.watch = HealthWatch(redis, self.health, name="consumer", queue_limit=queue_limit)
        self.server.start()

    def check(self) -> None:
        """Check the queue, as the consumer does each second."""
        self.watch.check()

    def stop(self) -> None:
        self.server.stop(None).wait()
