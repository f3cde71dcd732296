"""taskiq on Redis streams, the broker of taskiq-redis that its README recommends for durability."""

from redis import Redis, ResponseError
from taskiq import SimpleRetryMiddleware
from taskiq_redis import RedisStreamBroker

from bench.rivals.place import here
from bench.rivals.rival import Command, Rival
from bench.rivals.tasks import Row, row_of, store
from pipeline.message import Arrival

IDLE_MS = 10_000
broker = RedisStreamBroker(
    here().redis_url, idle_timeout=IDLE_MS, unacknowledged_lock_timeout=5.0
).with_middlewares(SimpleRetryMiddleware(default_retry_count=3))
_WORKER: Command = (
    *("taskiq", "worker", "bench.rivals.with_taskiq:broker", "--ack-type", "when_executed"),
    *("--log-level", "WARNING"),
)
_started = False


@broker.task(retry_on_error=True)
def store_message(row: Row) -> None:
    """The task, in the worker's pool of threads."""
    store(row)


async def enqueue(arrival: Arrival) -> None:
    global _started  # noqa: PLW0603 - the broker starts in the front end's own event loop
    if not _started:
        _started = True
        await broker.startup()
    await store_message.kiq(row_of(arrival))


def waiting(redis: "Redis") -> int:
    try:
        groups = redis.xinfo_groups("taskiq")
    except ResponseError:  # no stream yet
        return 0
    return sum(int(group["pending"]) + int(group["lag"] or 0) for group in groups)


RIVAL = Rival(
    name="taskiq",
    packages=("taskiq", "taskiq-redis"),
    docs=(
        "https://github.com/taskiq-python/taskiq-redis#stream",
        "https://taskiq-python.github.io/guide/cli.html#acknowledgements",
    ),
    settings="RedisStreamBroker, --ack-type when_executed, no result backend, SimpleRetryMiddleware;"
    " idle_timeout 10 s instead of 10 minutes and unacknowledged_lock_timeout 5 s, so that messages of a"
    " killed worker return during the run",
    workers={
        "1 process": [(*_WORKER, "--workers", "1")],
        "2 processes": [(*_WORKER, "--workers", "2")],
    },
    enqueue=enqueue,
    waiting=waiting,
    recovery_s=15,
    is_async=True,
)
