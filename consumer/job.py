"""The function that jobs in Redis name by its path: it must not change, since jobs wait across upgrades."""

from typing import Any


def store(data: Any) -> None:
    """Store the messages of the current job: run by the stock ``rq worker``, which runs one job at a time.

    The product's own worker does not call it.
    """
    from worker.stock_worker import run_current_job  # the only place where the consumer imports the worker

    run_current_job()
