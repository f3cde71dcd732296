"""Runs the web service: ``python -m web``."""

import sys

from pipeline import logs, shared_metrics, tls_check
from pipeline.listening import listen_each
from pipeline.settings import load_or_exit
from web.server import Server


def main() -> int:
    """Serve until SIGTERM or SIGINT; 1 if the address is unavailable, 2 if a setting is invalid."""
    settings = load_or_exit("web", tls_check.web)
    logs.setup(settings.name, settings.log_level)
    listeners = listen_each(settings.bind, settings.web_port, "FIZZBUZZ_WEB_PORT", settings.web_processes)
    if settings.web_processes > 1:
        shared_metrics.share(settings)
    Server(settings, listeners).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
