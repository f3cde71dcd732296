"""Metrics of a service of several processes: each can show those of all."""

import os
import shutil
import tempfile
from pathlib import Path

from pipeline.settings import Settings

_DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
"""Where the client keeps the values of each process in files; it reads this when it is imported."""


def share(settings: Settings) -> None:
    """Let the processes that start from now on share their metrics, from zero. It makes them start later."""
    os.environ[_DIRECTORY] = str(_new_directory(settings))


def process_ended(pid: int) -> None:
    """Leave out what was true of that process only while it ran."""
    if _DIRECTORY in os.environ:
        from prometheus_client.multiprocess import mark_process_dead  # the first process needs it only here

        mark_process_dead(pid)


def text() -> bytes:
    """All metrics in Prometheus's text format, over all processes."""
    # Not before ``share``.
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.multiprocess import MultiProcessCollector

    directory = os.environ.get(_DIRECTORY)
    if directory is None:
        return generate_latest()
    registry = CollectorRegistry()
    MultiProcessCollector(registry, directory)
    return generate_latest(registry)


def _new_directory(settings: Settings) -> Path:
    """An empty directory for this run's values."""
    if settings.run_dir is None:
        return Path(tempfile.mkdtemp(prefix=f"{settings.name}-metrics-"))
    directory = settings.run_dir / f"{settings.name}-metrics"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    return directory
