"""SAQ, whose workers sweep the jobs of killed ones."""

from typing import Any

from redis import Redis
from redis.asyncio import from_url
from saq.queue.redis import RedisQueue

from bench.rivals.place import here
from bench.rivals.rival import Command, Rival
from bench.rivals.tasks import Row, row_of, store
from pipeline.message import Arrival

queue = RedisQueue(from_url(here().redis_url))  # its own from_url takes no Unix socket
_WORKER: Command = ("saq", "bench.rivals.with_saq.settings", "--quiet")


def store_message(context: Any, *, row: Row) -> None:
    """The task, in the worker's pool of threads."""
    store(row)


settings = {"queue": queue, "functions": [store_message], "concurrency": 10, "timers": {"sweep": 5}}


async def enqueue(arrival: Arrival) -> None:
    await queue.enqueue("store_message", row=row_of(arrival), retries=5, timeout=5, ttl=60)


def waiting(redis: "Redis") -> int:
    return redis.zcard("saq:default:incomplete")


RIVAL = Rival(
    name="SAQ",
    packages=("saq",),
    docs=(
        "https://saq-py.readthedocs.io/en/latest/task.html",
        "https://saq-py.readthedocs.io/en/latest/worker.html",
    ),
    settings="retries=5, timeout=5 s instead of 10, sweep every 5 s instead of 60, so that jobs of a killed"
    " worker return during the run; concurrency 10 (its default)",
    workers={
        "1 process": [_WORKER],
        "2 processes": [(*_WORKER, "--workers", "2")],
    },
    enqueue=enqueue,
    waiting=waiting,
    recovery_s=25,
    is_async=True,
)
