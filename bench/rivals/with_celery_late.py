"""Celery as its documentation recommends for idempotent tasks that must run: acknowledged late."""

from bench.rivals import celery_app
from bench.rivals.rival import Rival
from bench.rivals.tasks import Row, row_of, store
from pipeline.message import Arrival

app = celery_app.make(task_acks_late=True, task_reject_on_worker_lost=True, worker_prefetch_multiplier=1)


@app.task(name="store_message")
def store_message(row: Row) -> None:
    """The task."""
    store(row)


def enqueue(arrival: Arrival) -> None:
    store_message.delay(row_of(arrival))


RIVAL = Rival(
    name="Celery, acks_late",
    packages=("celery", "kombu"),
    docs=celery_app.DOCS,
    settings="as its default, with task_acks_late, task_reject_on_worker_lost, worker_prefetch_multiplier=1",
    workers=celery_app.workers("with_celery_late"),
    enqueue=enqueue,
    waiting=celery_app.waiting,
    recovery_s=25,
)
