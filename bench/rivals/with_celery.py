"""Celery as it is set up by default: a message is acknowledged just before its task runs."""

from bench.rivals import celery_app
from bench.rivals.rival import Rival
from bench.rivals.tasks import Row, row_of, store
from pipeline.message import Arrival

app = celery_app.make()


@app.task(name="store_message")
def store_message(row: Row) -> None:
    """The task."""
    store(row)


def enqueue(arrival: Arrival) -> None:
    store_message.delay(row_of(arrival))


RIVAL = Rival(
    name="Celery, default",
    packages=("celery", "kombu"),
    docs=celery_app.DOCS,
    settings="prefork, no result backend; visibility_timeout 10 s instead of an hour, looked at every 5 s",
    workers=celery_app.workers("with_celery"),
    enqueue=enqueue,
    waiting=celery_app.waiting,
    recovery_s=25,
)
