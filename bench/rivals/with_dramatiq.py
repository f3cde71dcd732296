"""Dramatiq on its Redis broker, which acknowledges a message after the actor returned."""

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from redis import Redis

from bench.rivals.place import here
from bench.rivals.rival import Command, Rival
from bench.rivals.tasks import Row, row_of, store
from pipeline.message import Arrival

broker = RedisBroker(url=here().redis_url, heartbeat_timeout=10_000, maintenance_chance=100_000)
dramatiq.set_broker(broker)
_WORKER: Command = ("dramatiq", "bench.rivals.with_dramatiq")


@dramatiq.actor
def store_message(row: Row) -> None:
    """The actor."""
    store(row)


def enqueue(arrival: Arrival) -> None:
    store_message.send(row_of(arrival))


def waiting(redis: "Redis") -> int:
    return redis.hlen("dramatiq:default.msgs") + redis.hlen("dramatiq:default.DQ.msgs")


RIVAL = Rival(
    name="Dramatiq",
    packages=("dramatiq",),
    docs=(
        "https://dramatiq.io/reference.html#dramatiq.brokers.redis.RedisBroker",
        "https://dramatiq.io/guide.html",
    ),
    settings="RedisBroker, acknowledged after the actor, its default middleware (20 retries);"
    " heartbeat_timeout 10 s instead of 60, maintenance with 10 % of the commands instead of 0.1 %, so that"
    " messages of a killed worker return during the run",
    workers={
        "1 process, 8 threads": [(*_WORKER, "--processes", "1", "--threads", "8")],
        "2 processes, 8 threads": [(*_WORKER, "--processes", "2", "--threads", "8")],
    },
    enqueue=enqueue,
    waiting=waiting,
    recovery_s=20,
)
