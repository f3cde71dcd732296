"""The socket on which a service listens."""

import errno
import logging
import socket
import time

BACKLOG = 8_192
"""Connections waiting to be accepted; the kernel's net.core.somaxconn may allow fewer."""

RELEASE_S = 1.0
"""A worker process whose master was killed releases the port within this."""

log = logging.getLogger(__name__)


def listen(address: str, port: int, setting: str) -> socket.socket:
    """A socket that listens there; ``setting`` is the one of the port. Exits with 1 if it is unavailable."""
    until_s = time.monotonic() + RELEASE_S
    while True:
        try:
            listener = _server(address, port)
        except OSError as error:
            if error.errno == errno.EADDRINUSE and time.monotonic() < until_s:
                time.sleep(0.1)
                continue
            log.error(
                "can't listen on %s port %s: %s; FIZZBUZZ_BIND and %s choose another",
                address,
                port,
                (error.strerror or str(error)).lower(),
                setting,
            )
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
