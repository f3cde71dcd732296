"""RQ, with the worker that its documentation starts."""

from redis import Redis
from rq import Queue, Retry

from bench.rivals.place import here
from bench.rivals.rival import Command, Rival
from bench.rivals.tasks import Row, row_of, store
from pipeline.message import Arrival

CHECK_S = 5
"""The heartbeat of an abandoned job ends 60 s after this interval of monitoring, which can't be set."""
WORKER_TTL_S = 20
"""An idle worker checks for abandoned jobs when its wait ends, 15 s before this."""
QUEUE = "default"
_WORKER: Command = ("bench.rivals.rq_worker",)
_queue = Queue(QUEUE, connection=Redis.from_url(here().redis_url))


def store_message(row: Row) -> None:
    """The job."""
    store(row)


def enqueue(arrival: Arrival) -> None:
    _queue.enqueue(store_message, row_of(arrival), retry=Retry(max=3))


def waiting(redis: "Redis") -> int:
    lists = ("rq:queue:default", "rq:queue:default:intermediate")
    return sum(redis.llen(name) for name in lists) + redis.zcard("rq:wip:default")


RIVAL = Rival(
    name="RQ",
    packages=("rq",),
    docs=("https://python-rq.org/docs/workers/", "https://python-rq.org/docs/exceptions/"),
    settings="its Worker, which forks for each job, in a script that imports the task first; Retry(max=3);"
    " maintenance every 5 s instead of 10 minutes, job monitoring every 5 s instead of 30, so that an"
    " abandoned job is queued again after some 70 s; not SimpleWorker, which is not advised in production",
    workers={"1 worker": [_WORKER], "2 workers": [_WORKER, _WORKER]},
    enqueue=enqueue,
    waiting=waiting,
    recovery_s=75,
)
