"""Runs the gateway: ``python -m gateway``."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

from granian import Granian
from granian.constants import Interfaces
from granian.log import LogLevels

from pipeline.settings import Settings, load_or_exit

THREADS = 64
"""Requests under way at a time in one process; further ones wait in the server. More make larger calls.
Requests a second, 64 connections of wrk, in turns: 1,480 and 1,660; with 32 threads 1,180 and 1,140."""


def main() -> int:
    """Serve until SIGTERM or SIGINT; 2 where a setting makes no sense."""
    settings = load_or_exit("gateway")
    # Before the workers start: their counters live in files that every worker can read.
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(_metrics_dir(settings))
    Granian(
        "gateway.app:serve",
        factory=True,
        interface=Interfaces.WSGI,
        address=settings.bind,
        port=settings.gateway_port,
        workers=settings.gateway_processes,
        blocking_threads=THREADS,
        respawn_failed_workers=True,
        respawn_interval=0.1,
        workers_kill_timeout=8,
        websockets=False,
        log_level=LogLevels.warning,
    ).serve()
    return 0


def _metrics_dir(settings: Settings) -> Path:
    """An empty directory for this run's counters."""
    if settings.run_dir is None:
        return Path(tempfile.mkdtemp(prefix="gateway-metrics-"))
    directory = settings.run_dir / f"{settings.name}-metrics"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    return directory


if __name__ == "__main__":
    sys.exit(main())
