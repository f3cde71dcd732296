"""Runs the web service: ``python -m web``."""

import logging
import sys

from pipeline import logs
from pipeline.settings import load_or_exit
from web.server import Server, listen

log = logging.getLogger("web")


def main() -> int:
    """Serve until SIGTERM or SIGINT; 1 if the address is unavailable, 2 if a setting is invalid."""
    settings = load_or_exit("web")
    logs.setup(settings.name, settings.log_level)
    try:
        listener = listen(settings.bind, settings.web_port)
    except OSError as error:
        log.error(
            "can't listen on %s port %s: %s; FIZZBUZZ_BIND and FIZZBUZZ_WEB_PORT choose another",
            settings.bind,
            settings.web_port,
            (error.strerror or str(error)).lower(),
        )
        return 1
    log.info("listening on %s port %s", settings.bind, settings.web_port)
    Server(settings, listener).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
