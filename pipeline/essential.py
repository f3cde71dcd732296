"""Threads that a process needs: when one of them fails, the process exits and is restarted."""

import logging
import os
import threading
from collections.abc import Callable

EXIT_STATUS = 70
"""EX_SOFTWARE of sysexits.h."""

log = logging.getLogger(__name__)


def start(name: str, run: Callable[[], object]) -> threading.Thread:
    """Run ``run`` in a daemon thread. It may return; if it raises, the process exits at once."""

    def guarded() -> None:
        try:
            run()
        except BaseException:
            log.critical("thread %s died, so the process ends", name, exc_info=True)
            os._exit(EXIT_STATUS)

    thread = threading.Thread(target=guarded, name=name, daemon=True)
    thread.start()
    return thread
