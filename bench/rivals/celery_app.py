"""What both set-ups of Celery share."""

from typing import Any

from celery import Celery
from redis import Redis

from bench.rivals.place import here
from bench.rivals.rival import Command
from bench.rivals.tasks import Row, row_of, store
from pipeline.message import Arrival

VISIBILITY_S = 10
DOCS = (
    "https://docs.celeryq.dev/en/stable/getting-started/backends-and-brokers/redis.html",
    "https://docs.celeryq.dev/en/stable/userguide/optimizing.html#reserve-one-task-at-a-time",
    "https://docs.celeryq.dev/en/stable/userguide/tasks.html",
)


def make(**settings: object) -> Celery:
    """An app without a result backend; messages of a killed worker return after ``VISIBILITY_S``."""
    place = here()
    app = Celery("rivals", broker=place.redis_url.replace("unix://", "redis+socket://"))
    app.conf.update(
        task_ignore_result=True,
        broker_pool_limit=place.connections,
        broker_transport_options={
            "visibility_timeout": VISIBILITY_S,
            # kombu's documentation: it checks them at a period that is the product of both.
            "unacked_restore_interval": 5,
            "unacked_restore_throttle": 1,
        },
        visibility_timeout=VISIBILITY_S,
        **settings,
    )
    return app


def common(app: Celery, module: str) -> dict[str, Any]:
    """What both ``Rival`` have in common; ``app`` stands in ``bench.rivals.{module}``."""

    @app.task(name="store_message")
    def store_message(row: Row) -> None:
        """The task."""
        store(row)

    def enqueue(arrival: Arrival) -> None:
        store_message.delay(row_of(arrival))

    return {
        "packages": ("celery", "kombu"),
        "docs": DOCS,
        "workers": _workers(module),
        "enqueue": enqueue,
        "waiting": _waiting,
        "recovery_s": 25,
    }


def _workers(module: str) -> dict[str, list[Command]]:
    """Its prefork worker with one child and with as many as there are cores, which is its default here."""
    worker = ("celery", "--quiet", "-A", f"bench.rivals.{module}", "worker", "--loglevel", "WARNING")
    return {f"{count} child{'' if count == 1 else 'ren'}": [(*worker, "-c", str(count))] for count in (1, 2)}


def _waiting(redis: "Redis") -> int:
    """Queued, and delivered but not acknowledged."""
    return redis.llen("celery") + redis.hlen("unacked")
