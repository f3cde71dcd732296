"""huey, with the consumer that its documentation starts."""

from typing import Any

from huey import RedisHuey
from huey.signals import SIGNAL_INTERRUPTED
from redis import Redis

from bench.rivals.place import here
from bench.rivals.rival import Command, Rival
from bench.rivals.tasks import Row, row_of, store
from pipeline.message import Arrival

huey = RedisHuey("rivals", url=here().redis_url, immediate=False)
_CONSUMER: Command = ("huey.bin.huey_consumer", "bench.rivals.with_huey.huey", "--quiet")


@huey.task(retries=3)
def store_message(row: Row) -> None:
    """The task."""
    store(row)


@huey.signal(SIGNAL_INTERRUPTED)
def requeue(signal: str, task: Any, *args: object) -> None:
    """Its recipe for tasks that a SIGTERM interrupts; nothing can run at a SIGKILL."""
    huey.enqueue(task)


def enqueue(arrival: Arrival) -> None:
    store_message(row_of(arrival))


def waiting(redis: "Redis") -> int:
    return redis.llen("huey.redis.rivals") + redis.zcard("huey.schedule.rivals")


RIVAL = Rival(
    name="huey",
    packages=("huey",),
    docs=(
        "https://huey.readthedocs.io/en/latest/deployment.html",
        "https://huey.readthedocs.io/en/latest/signals.html#using-signal-interrupted",
    ),
    settings="RedisHuey with blocking pops; retries=3; interrupted tasks queued again by its recipe, which a"
    " SIGKILL leaves no time for: its documentation says that such a task is lost",
    workers={
        "1 thread": [(*_CONSUMER, "-k", "thread", "-w", "1")],
        "2 processes": [(*_CONSUMER, "-k", "process", "-w", "2")],
    },
    enqueue=enqueue,
    waiting=waiting,
    recovery_s=0,
)
