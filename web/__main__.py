"""Runs the web service: ``python -m web``."""

import logging
import sys

from pipeline import logs
from pipeline.settings import load_or_exit
from web.server import Server, allow_many_files, listen

log = logging.getLogger("web")


def main() -> int:
    """Serve until SIGTERM or SIGINT; 1 where the address can't be had, 2 where a setting makes no sense."""
    settings = load_or_exit("web")
    logs.setup(settings.name, settings.log_level)
    try:
        listener = listen(settings.bind, settings.web_port)
    except OSError as error:
        log.error(
            "can't listen on %s port %s: %s; FIZZBUZZ_BIND and FIZZBUZZ_WEB_PORT set others",
            settings.bind,
            settings.web_port,
            (error.strerror or str(error)).lower(),
        )
        return 1
    allow_many_files()
    log.info("listening on %s port %s", settings.bind, settings.web_port)
    Server(settings, listener).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
