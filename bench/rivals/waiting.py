"""Waits, each with a limit."""

import time
from collections.abc import Callable


class TookTooLong(Exception):
    """What was waited for did not come."""


def until(is_true: Callable[[], object], seconds: float, otherwise: str, *, every_s: float = 0.05) -> None:
    """Return once ``is_true`` is. Raises TookTooLong, with ``otherwise``."""
    end_s = time.monotonic() + seconds
    while not is_true():
        if time.monotonic() > end_s:
            raise TookTooLong(otherwise)
        time.sleep(every_s)
