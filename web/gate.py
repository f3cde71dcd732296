"""A gate at which a thread waits for the event loop."""

from gevent.monkey import get_original

_allocate_lock = get_original("_thread", "allocate_lock")


class Gate:
    """Is opened once, and lets one thread of gevent's pool pass.

    It is a lock as Python has it: gevent's would start an event loop in the thread.
    """

    def __init__(self) -> None:
        self._lock = _allocate_lock()
        self._lock.acquire()

    def open(self) -> None:
        """Let the thread pass."""
        self._lock.release()

    def wait(self) -> None:
        """Wait until it is open."""
        self._lock.acquire()
