"""Runs a measured load: ``python -m load --rate N --for S``, see ``--help``."""

import os
import signal
import sys

INTERRUPTED = 130

if __name__ == "__main__":
    # While modules are read, a KeyboardInterrupt may be raised in a callback, which it does not leave.
    before = signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
    from load.command import main

    signal.signal(signal.SIGINT, before)
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        print("load: interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
