"""Celery as its documentation recommends for idempotent tasks that must run: acknowledged late."""

from bench.rivals import celery_app
from bench.rivals.rival import Rival

app = celery_app.make(task_acks_late=True, task_reject_on_worker_lost=True, worker_prefetch_multiplier=1)
RIVAL = Rival(
    name="Celery, acks_late",
    settings="as its default, with task_acks_late, task_reject_on_worker_lost, worker_prefetch_multiplier=1",
    **celery_app.common(app, "with_celery_late"),
)
