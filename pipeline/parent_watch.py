"""Ends a child process whose parent was killed, so that it keeps no port and accepts no work."""

import os
import threading
import time

PERIOD_S = 0.25


def exit_with_parent() -> None:
    """Start a thread that ends this process when its parent has ended; works on every Unix."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(PERIOD_S)
        os._exit(1)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
