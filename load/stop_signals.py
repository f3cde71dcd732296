"""Ctrl-C and SIGTERM: while a load is sent they end the sending, at any other moment the command."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pipeline.stop import SIGNALS


def end_as_by_ctrl_c() -> None:
    """SIGTERM raises KeyboardInterrupt, too."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@contextmanager
def calling(stop: Callable[[], object]) -> Iterator[None]:
    """They call ``stop`` meanwhile; afterwards they do again what they did before.

    The event loop's own handlers do not: uvloop leaves them behind, and they ignore each later signal.
    """
    before = [(number, signal.signal(number, lambda *_: stop())) for number in SIGNALS]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)
