"""Runs the gateway: ``python -m gateway``."""

import sys

from gateway.worker_process import Processes
from pipeline import logs, shared_metrics, tls_check
from pipeline.file_limit import raise_file_limit
from pipeline.listening import listen
from pipeline.settings import load_or_exit, require_guard

CONNECTIONS = 8_000
"""Maximum open connections per process: see ``Server``. An idle one uses a descriptor and some 4 KB."""

OTHER_FILES = 200
"""Descriptors for anything but connections."""


def main() -> int:
    """Serve until SIGTERM or SIGINT; 1 if the address is unavailable, 2 if a setting is invalid."""
    settings = load_or_exit("gateway", require_guard, tls_check.gateway)
    logs.setup(settings.name, settings.log_level)
    listener = listen(settings.bind, settings.gateway_port, "FIZZBUZZ_GATEWAY_PORT")
    if settings.gateway_processes > 1:
        shared_metrics.share(settings)
    Processes(settings, listener, _connections()).run()
    return 0


def _connections() -> int:
    """As many as the descriptor limit allows: failing to accept more would keep the server busy."""
    return raise_file_limit(CONNECTIONS + OTHER_FILES) - OTHER_FILES


if __name__ == "__main__":
    sys.exit(main())
