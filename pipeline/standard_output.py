"""Standard output that nobody reads any more, as with ``| head``. Standard library only."""

import os
import sys


def discard() -> None:
    """After a BrokenPipeError: what is still written, also by Python at its end, goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
