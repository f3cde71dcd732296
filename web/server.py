"""The server: gunicorn with gevent workers, so that thousands of streams share a process.

Each process reads and snapshots for itself, as replicas do that run on several machines.
"""

import errno
import itertools
import socket
import ssl
import struct
import sys
import time
from collections.abc import Sequence
from typing import Any

import gevent
from gunicorn.workers.ggevent import GeventWorker

from pipeline import shared_metrics
from pipeline.gunicorn_server import GunicornServer
from pipeline.settings import Settings
from web.open_streams import OpenStreams
from web.tls import RenewedContext, shake_hands

FINISH_S = 0.25
"""A stop ends the streams at once and gives other requests this long to finish: each takes a few ms."""

GRACE_S = 2
"""A worker that has not stopped after this is killed."""

STALLED_S = 20.0
"""A client that reads nothing for this long, its buffer and the kernel's being full, is disconnected."""

CONNECTIONS = 20_000
RESET = struct.pack("ii", 1, 0)
"""The SO_LINGER value with which close sends a reset at once."""

SEND_BUFFER = 64 * 1024
"""Bytes that the kernel buffers for one client: a slow one gets the newest event, not minutes of old ones."""


class Server(GunicornServer):
    """Serves on ``listeners``, one for each process, and owns them."""

    def __init__(self, settings: Settings, listeners: Sequence[socket.socket]) -> None:
        for listener in listeners:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        self.open_streams = OpenStreams(settings.web_processes)
        self.started_ns = time.time_ns()
        super().__init__(
            settings,
            listeners,
            workers=settings.web_processes,
            worker_class=StreamWorker,
            pre_fork=_number,
            child_exit=lambda _, worker: shared_metrics.process_ended(worker.pid),
            worker_connections=CONNECTIONS,
            graceful_timeout=GRACE_S,
            keepalive=5,
            **_tls(settings),
        )

    def load(self) -> Any:
        from web.service import serve  # in the worker, after gevent has patched what it imports

        return serve(self.settings, self.open_streams, self.started_ns)


def _number(arbiter: Any, worker: Any) -> None:
    """Give a process that is about to be forked the lowest number that no other has."""
    taken = {other.number for other in arbiter.WORKERS.values()}
    worker.number = next(number for number in itertools.count() if number not in taken)
    arbiter.app.open_streams.begin(worker.number)


class StreamWorker(GeventWorker):  # type: ignore[misc] # gunicorn has no types
    """A gevent worker that ends its streams when it is asked to stop, and disconnects clients that stall."""

    number = 0
    """Which of the processes it is."""
    sockets: list[Any]

    def init_process(self) -> None:
        for index, listener in enumerate(self.sockets):
            if index != self.number:
                listener.close()
        self.sockets = [self.sockets[self.number]]
        super().init_process()

    def handle(self, listener: Any, client: socket.socket, addr: Any) -> None:
        if isinstance(client, ssl.SSLSocket) and not shake_hands(client):
            client.close()
        else:
            super().handle(listener, client, addr)

    def handle_request(self, listener_name: Any, req: Any, sock: socket.socket, addr: Any) -> None:
        sock.settimeout(STALLED_S)
        try:
            super().handle_request(listener_name, req, sock, addr)
        except TimeoutError as stalled:
            from web import metrics  # after gevent has patched what it imports

            metrics.STALLED.inc()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)  # drops what the kernel still buffers
            raise ConnectionResetError(errno.ECONNRESET, "the client reads nothing") from stalled

    def handle_exit(self, sig: int, frame: object) -> None:
        first = self.alive and self.booted
        super().handle_exit(sig, frame)
        if first:
            gevent.spawn(self._finish)  # not in the signal handler, which may have interrupted gevent's hub

    def _finish(self) -> None:
        self.wsgi.extensions["broadcaster"].close()
        gevent.sleep(FINISH_S)
        sys.exit(0)  # else the worker checks only once a second whether it may end


def _tls(settings: Settings) -> dict[str, Any]:
    """gunicorn's settings for TLS; none without."""
    pair = settings.tls
    if pair is None:
        return {}

    def context(config: object, default: object) -> RenewedContext:
        """Called in the worker."""
        renewed = RenewedContext(pair)
        gevent.spawn(renewed.follow)
        return renewed

    certificate, key = map(str, pair.paths)
    return {"certfile": certificate, "keyfile": key, "ssl_context": context, "do_handshake_on_connect": True}
