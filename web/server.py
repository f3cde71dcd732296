"""The server: gunicorn with one gevent worker, so that thousands of streams share one process."""

import errno
import socket
import struct
import sys
import time
from typing import Any

import gevent
from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger
from gunicorn.workers.ggevent import GeventWorker

from pipeline.settings import Settings

FINISH_S = 0.25
"""A stop ends the streams at once and gives other requests this long to finish: each takes a few ms."""

GRACE_S = 2
"""A worker that has not stopped after this is killed."""

RELEASE_S = 1.0
"""A worker process whose master was killed releases the port within this."""

STALLED_S = 20.0
"""A client that reads nothing for this long, its buffer and the kernel's being full, is disconnected."""

CONNECTIONS = 20_000
BACKLOG = 2_048
RESET = struct.pack("ii", 1, 0)
"""The SO_LINGER value with which close sends a reset at once."""

SEND_BUFFER = 64 * 1024
"""Bytes that the kernel buffers for one client: a slow one gets the newest event, not minutes of old ones."""


class Server(BaseApplication):  # type: ignore[misc] # gunicorn has no types
    """Serves on ``listener`` and owns it."""

    def __init__(self, settings: Settings, listener: socket.socket) -> None:
        self._settings = settings
        self._listener_fd = listener.detach()
        super().__init__()

    def load_config(self) -> None:
        options = {
            "bind": f"fd://{self._listener_fd}",
            "workers": 1,
            "worker_class": StreamWorker,
            "worker_connections": CONNECTIONS,
            "backlog": BACKLOG,
            "graceful_timeout": GRACE_S,
            "keepalive": 5,
            "control_socket_disable": True,
            "logger_class": _Logs,
            "loglevel": "warning",
            "proc_name": self._settings.name,
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        from web.service import serve  # in the worker, after gevent has patched what it imports

        return serve(self._settings)


class StreamWorker(GeventWorker):  # type: ignore[misc] # gunicorn has no types
    """A gevent worker that ends its streams when it is asked to stop, and disconnects clients that stall."""

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


class _Logs(Logger):  # type: ignore[misc] # gunicorn has no types
    """Passes gunicorn's records to the root logger."""

    def setup(self, cfg: object) -> None:
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True


def listen(address: str, port: int) -> socket.socket:
    """A socket that listens there. Raises OSError."""
    until_s = time.monotonic() + RELEASE_S
    while True:
        try:
            listener = _bind(address, port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() > until_s:
                raise
            time.sleep(0.1)
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
            return listener


def _bind(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.create_server((address, port), family=family, backlog=BACKLOG)
