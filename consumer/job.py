"""The path by which jobs in Redis name their function; it stays, so that an upgrade finds waiting jobs."""

from typing import Any


def store(data: Any) -> None:
    """Write the current job's messages: what the stock ``rq worker`` runs, which takes one job at a time.

    The product's own worker does not call it.
    """
    from worker.stock_worker import run_current_job  # an alias: nothing else of the consumer knows the worker

    run_current_job()
