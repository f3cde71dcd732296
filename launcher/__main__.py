"""Runs the launcher: ``python -m launcher``; ``start.sh`` and ``start.bat`` call it."""

import signal
import sys
from typing import NoReturn


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    try:
        for name in ("SIGTERM", "SIGHUP"):  # a closed terminal leaves no more behind than Ctrl-C does
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) == signal.SIG_DFL:
                signal.signal(number, _interrupt)
        from launcher.cli import main  # here, since Ctrl-C may come while modules are read

        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
