"""Ports for tests."""

import os
import random
import socket
from itertools import cycle

_FIRST = 20_000
"""Below those that the kernel gives to clients, which would use a port between the choice and the use."""
_EACH = 1_500
"""Ports for each process that runs tests beside others, see pytest-xdist."""

_process = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 8
_ports = [_FIRST + _process * _EACH + index for index in range(_EACH)]
_start = random.randrange(_EACH)
_next = cycle(_ports[_start:] + _ports[:_start])


def free_port() -> int:
    """A TCP port of the loopback address that nothing listens on now, and no other test was given lately."""
    return next(port for port in _next if _is_free(port))


def listens(port: int) -> bool:
    """Whether something on the loopback address accepts connections at this port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
