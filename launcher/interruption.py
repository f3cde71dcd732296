"""What ends a command early, so that nothing that it started is left running."""

import signal
from typing import NoReturn

INTERRUPTED = 130


def end_as_by_ctrl_c() -> None:
    """SIGTERM and a closed terminal too raise KeyboardInterrupt; one that is ignored (``nohup``) stays so."""
    ending = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    handled = [number for number in ending if signal.getsignal(number) == signal.SIG_DFL]

    def interrupt(*_: object) -> NoReturn:
        for number in handled:  # a second one, as a terminal sends it, must not end the clean-up
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in handled:
        signal.signal(number, interrupt)
