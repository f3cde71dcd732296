"""The socket on which a service listens."""

import errno
import logging
import socket
import time
from collections.abc import Callable
from typing import TypeVar

BACKLOG = 8_192
"""Connections waiting to be accepted; the kernel's net.core.somaxconn may allow fewer."""

RELEASE_S = 1.0
"""A worker process whose master was killed releases the port within this."""

log = logging.getLogger(__name__)

T = TypeVar("T")


def once_released(listen: Callable[[], T]) -> T:
    """What ``listen`` returns; a port in use is tried again for ``RELEASE_S``. Raises OSError."""
    until_s = time.monotonic() + RELEASE_S
    while True:
        try:
            return listen()
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() > until_s:
                raise
        time.sleep(0.1)


def listen(address: str, port: int, setting: str) -> socket.socket:
    """A socket that listens there; ``setting`` is the one of the port. Exits with 1 if it is unavailable."""
    try:
        listener = once_released(lambda: _server(address, port))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        choose = f"FIZZBUZZ_BIND and {setting} choose another"
        log.error("can't listen on %s port %s: %s; %s", address, port, reason, choose)
        raise SystemExit(1) from None
    log.info("listening on %s port %s", address, port)
    return listener


def listen_each(address: str, port: int, setting: str, processes: int) -> list[socket.socket]:
    """A socket that listens there for each of the processes; Linux spreads connections evenly over them.

    Of one socket that several processes accept from, the process that was idle last gets nearly all.
    """
    listener = listen(address, port, setting)
    if processes == 1:
        return [listener]
    listener.close()  # it has shown that the port is free: these would share it with another program
    return [_server(address, port, shared=True) for _ in range(processes)]


def _server(address: str, port: int, *, shared: bool = False) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.create_server((address, port), family=family, backlog=BACKLOG, reuse_port=shared)
