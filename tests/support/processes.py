"""What the kernel reports of a process and its children (Linux)."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def children_of(pid: int) -> list[int]:
    """The processes that the main thread of process ``pid`` has started and that live, oldest first."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@contextmanager
def interruptible() -> Iterator[None]:
    """What is started within it ends by SIGINT and SIGHUP, also where a shell in the background has them
    ignored."""
    before = (
        signal.signal(signal.SIGINT, signal.default_int_handler),
        signal.signal(signal.SIGHUP, signal.SIG_DFL),
    )
    try:
        yield
    finally:
        for number, handler in zip((signal.SIGINT, signal.SIGHUP), before, strict=True):
            signal.signal(number, handler)
