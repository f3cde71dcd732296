"""Celery as it is set up by default: a message is acknowledged just before its task runs."""

from bench.rivals import celery_app
from bench.rivals.rival import Rival

app = celery_app.make()
RIVAL = Rival(
    name="Celery, default",
    settings="prefork, no result backend; visibility_timeout 10 s instead of an hour, checked every 5 s",
    **celery_app.common(app, "with_celery"),
)
