"""Runs the gateway: ``python -m gateway``."""

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels

from gateway.heartbeat import STARTED_NS
from pipeline.file_limit import raise_file_limit
from pipeline.settings import Settings, load_or_exit, require_guard

BACKLOG = 8_192
"""Connections waiting to be accepted; the kernel's net.core.somaxconn may allow fewer."""

CONNECTIONS = 8_000
"""Maximum open connections per process; further ones wait. An idle one uses a descriptor and some 20 KB."""

OTHER_FILES = 200
"""Descriptors for anything but connections."""

HTTP1 = HTTP1Settings(
    header_read_timeout=15_000,  # also limits idle kept-alive connections
    max_buffer_size=64 * 1024,  # maximum size of a request head
)


def main() -> int:
    """Serve until SIGTERM or SIGINT; 2 where a setting is invalid."""
    settings = load_or_exit("gateway", require_guard)
    os.environ[STARTED_NS] = str(time.time_ns())
    # Before the workers start: their counters live in files that every worker can read.
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(_metrics_dir(settings))
    Granian(
        "gateway.server:serve",
        factory=True,
        interface=Interfaces.RSGI,
        http=HTTPModes.http1,  # over HTTP/2 one connection holds any number of unfinished requests
        http1_settings=HTTP1,
        backlog=BACKLOG,
        backpressure=_connections(),
        address=settings.bind,
        port=settings.gateway_port,
        workers=settings.gateway_processes,
        respawn_failed_workers=True,
        respawn_interval=0.1,
        workers_kill_timeout=8,
        websockets=False,
        log_level=LogLevels.warning,
    ).serve()
    return 0


def _connections() -> int:
    """As many as the descriptor limit allows: failing to accept more would keep the server busy."""
    return raise_file_limit(CONNECTIONS + OTHER_FILES) - OTHER_FILES


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
