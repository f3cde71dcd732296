"""TLS of the page's connections, for gunicorn's gevent worker, which asks for one context for all of them."""

import ssl
from socket import socket
from typing import Any

import gevent

from pipeline import certificate
from pipeline.certificate import KeyPair, ServerContext
from pipeline.renewed_files import PERIOD_S, RenewedFiles

HANDSHAKE_S = 5.0
"""Maximum time of a handshake."""


class RenewedContext:
    """Stands for an ssl.SSLContext: a connection is made with the newest certificate that could be used.

    Make it in the worker, after gevent has patched the ssl module.
    """

    def __init__(self, pair: KeyPair) -> None:
        self._files: RenewedFiles[ServerContext] = RenewedFiles(
            pair.paths, lambda: certificate.server_context(pair)
        )

    def wrap_socket(self, connection: socket, **options: Any) -> ssl.SSLSocket:
        """The connection, whose handshake is still to be made: see ``shake_hands``."""
        return self._files.value.context.wrap_socket(
            connection, **{**options, "do_handshake_on_connect": False}
        )

    def follow(self) -> None:
        """Check for renewed files forever."""
        while True:
            gevent.sleep(PERIOD_S)
            self._files.refresh()


def shake_hands(connection: ssl.SSLSocket) -> bool:
    """Whether it succeeded within ``HANDSHAKE_S``; not with a client that speaks no TLS or refuses ours."""
    connection.settimeout(HANDSHAKE_S)
    try:
        connection.do_handshake()
    except OSError:
        return False
    return True
