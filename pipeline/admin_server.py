"""What the services without a web page of their own serve to operators: /metrics, /healthz, /readyz."""

import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.server import HTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from prometheus_client import REGISTRY
from prometheus_client.exposition import MetricsHandler

from pipeline import essential, hosts
from pipeline.hosts import host_port
from pipeline.settings import Settings

THREADS = 8
MAX_CONNECTIONS = 128
"""Open at a time; a further one is closed at once."""

CONNECTION_S = 5.0
"""A connection has this long in all, however slowly its client sends or reads."""

log = logging.getLogger(__name__)


def serve_or_exit(
    settings: Settings, ready: Callable[[], bool], detail: Callable[[], str] = lambda: ""
) -> HTTPServer:
    """Start serving in a thread; ``ready`` returns whether this service can do its work now, ``detail`` more.

    The address is written to ``<run_dir>/<name>.address``, because the port may be chosen by the system.
    Where the address is not available this process ends: one line, exit status 1.
    """
    bind = settings.metrics_bind

    class Handler(_Handler):
        is_ready = staticmethod(ready)
        explain = staticmethod(detail)
        loopback = bind if ip_address(bind).is_loopback else None

    try:
        server = (_Server6 if ":" in bind else _Server)((bind, settings.metrics_port), Handler)
        essential.start("admin-server", server.serve_forever)
        if settings.run_dir:
            _write(settings.run_dir / f"{settings.name}.address", f"{host_port(bind, server.server_port)}\n")
    except OSError as error:
        log.error(
            "can't serve metrics on %s: %s; FIZZBUZZ_METRICS_BIND and FIZZBUZZ_METRICS_PORT choose another",
            host_port(bind, settings.metrics_port),
            os.strerror(error.errno).lower() if error.errno else error,
        )
        raise SystemExit(1) from None
    return server


class _Server(HTTPServer):
    """A bounded number of threads and connections, and a deadline for each connection."""

    request_queue_size = MAX_CONNECTIONS

    def __init__(self, *args: Any) -> None:
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="admin")
        self._lock = threading.Lock()
        self._deadlines_s: dict[socket.socket, float] = {}
        self._served: set[socket.socket] = set()
        super().__init__(*args)  # where the port is in use, it closes this server

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            is_full = len(self._deadlines_s) >= MAX_CONNECTIONS
            if not is_full:
                self._deadlines_s[request] = time.monotonic() + CONNECTION_S
        if is_full:
            self.shutdown_request(request)
        else:
            self._pool.submit(self._serve, request, client_address)

    def service_actions(self) -> None:
        """Called twice a second: ends the connections whose time is up."""
        with self._lock:  # a thread that begins to serve gives the connection a timeout: a check would wait
            late = [
                request
                for request, end_s in self._deadlines_s.items()
                if end_s < time.monotonic() and not self._waits_for_a_thread(request)
            ]
        for request in late:
            with suppress(OSError):
                request.shutdown(socket.SHUT_RDWR)

    def _waits_for_a_thread(self, request: socket.socket) -> bool:
        """And not for its client, which has sent something."""
        return request not in self._served and _has_sent(request)

    def server_close(self) -> None:
        super().server_close()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _serve(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._served.add(request)
            self._deadlines_s[request] = time.monotonic() + CONNECTION_S
        try:
            self.finish_request(request, client_address)
        except OSError as error:
            log.debug("%s closed the connection: %s", client_address, error)
        except Exception:
            log.exception("an operator's request failed")
        finally:
            with self._lock:
                self._served.discard(request)
                self._deadlines_s.pop(request, None)
            self.shutdown_request(request)


def _has_sent(connection: socket.socket) -> bool:
    try:
        return bool(connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
    except OSError:
        return False


class _Server6(_Server):
    address_family = socket.AF_INET6


class _Handler(MetricsHandler):
    registry = REGISTRY
    timeout = CONNECTION_S  # of a single read or write
    is_ready: Callable[[], bool]
    explain: Callable[[], str]
    loopback: str | None
    """The loopback address that it listens on: there a page in a browser could come by DNS rebinding."""

    def do_GET(self) -> None:
        if self.loopback and not hosts.allowed(self.headers.get("Host", "localhost"), self.loopback, ()):
            self._respond(421, "unknown host")
        elif self.path == "/healthz":
            self._respond(200, "ok")
        elif self.path == "/readyz":
            status, text = (200, "ready") if self.is_ready() else (503, "not ready")
            self._respond(status, ": ".join(filter(None, (text, self.explain()))))
        elif self.path.partition("?")[0] == "/metrics":
            super().do_GET()
        else:
            self._respond(404, "not found: /metrics, /healthz and /readyz are here")

    def _respond(self, status: int, text: str) -> None:
        body = f"{text}\n".encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
