"""What the services without a web page of their own serve to operators: /metrics, /healthz, /readyz."""

import logging
import math
import os
import re
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from functools import partial
from http.server import HTTPServer
from io import BytesIO
from ipaddress import ip_address
from pathlib import Path
from typing import Any, cast

from prometheus_client import REGISTRY
from prometheus_client.exposition import MetricsHandler

from pipeline import essential, hosts
from pipeline.hosts import host_port
from pipeline.request_heads import Request, RequestHeads
from pipeline.settings import Settings

THREADS = 8
MAX_CONNECTIONS = 128
"""Open at a time; a further one replaces the one that has been without a complete request longest."""

CONNECTION_S = 5.0
"""A client has this long for its request, and then for the answer, however slowly it sends or reads."""

MAX_REQUESTS = 64
"""Complete requests that wait or are served; a further one is closed, so that probes have places."""

_PROBE = re.compile(rb"GET /(healthz|readyz)[ ?]")

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
    """Threads for complete requests alone, a bounded number of connections, and a deadline for each."""

    request_queue_size = MAX_CONNECTIONS

    def __init__(self, *args: Any) -> None:
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="admin")
        self._probes = ThreadPoolExecutor(1, thread_name_prefix="probes")  # their answers fit in any buffer
        self._lock = threading.Lock()
        self._deadlines_s: dict[socket.socket, float] = {}  # of those with a complete request
        self._is_stopping = False
        self._has_stopped = threading.Event()
        super().__init__(*args)  # where the port is in use, it closes this server

    def serve_forever(self, poll_interval: float = 0.5) -> None:
        """Until ``shutdown``."""
        with closing(RequestHeads(self.socket, CONNECTION_S)) as heads:
            while not self._is_stopping:
                for request in heads.wait(poll_interval):
                    self._submit(request)
                if heads and len(heads) + len(self._deadlines_s) > MAX_CONNECTIONS:
                    heads.end_oldest()
                self._end_late()
        self._has_stopped.set()

    def shutdown(self) -> None:
        self._is_stopping = True
        self._has_stopped.wait()

    def server_close(self) -> None:
        super().server_close()
        for pool in (self._pool, self._probes):
            pool.shutdown(wait=False, cancel_futures=True)

    def _submit(self, request: Request) -> None:
        """Clients that read nothing keep threads from /metrics, and never from a probe."""
        is_probe = _PROBE.match(request.head)
        with self._lock:
            is_full = len(self._deadlines_s) >= MAX_REQUESTS and not is_probe
            if not is_full:
                self._deadlines_s[request.connection] = math.inf  # it waits for a thread, not for its client
        if is_full:
            self.shutdown_request(request.connection)
        else:
            pool = self._probes if is_probe else self._pool
            pool.submit(self._serve, request).add_done_callback(partial(self._close_if_dropped, request))

    def _close_if_dropped(self, request: Request, served: Future[None]) -> None:
        """A request that still waited for a thread at the end."""
        if served.cancelled():
            self.shutdown_request(request.connection)

    def _end_late(self) -> None:
        now_s = time.monotonic()
        with self._lock:
            late = [connection for connection, end_s in self._deadlines_s.items() if end_s < now_s]
        for connection in late:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _serve(self, request: Request) -> None:
        with self._lock:
            self._deadlines_s[request.connection] = time.monotonic() + CONNECTION_S
        try:
            self.finish_request(cast("Any", request), request.address)  # _Handler takes it apart
        except OSError as error:
            log.debug("%s closed the connection: %s", request.address, error)
        except Exception:
            log.exception("an operator's request failed")
        finally:
            with self._lock:
                self._deadlines_s.pop(request.connection, None)
            self.shutdown_request(request.connection)


class _Server6(_Server):
    address_family = socket.AF_INET6


class _Handler(MetricsHandler):
    registry = REGISTRY
    timeout = CONNECTION_S  # of a single write
    is_ready: Callable[[], bool]
    explain: Callable[[], str]
    loopback: str | None
    """The loopback address that it listens on: there a page in a browser could come by DNS rebinding."""

    def setup(self) -> None:
        """Take apart the ``Request`` that it was made for: its head is here already."""
        head, self.request = self.request.head, self.request.connection
        super().setup()
        self.rfile.close()
        self.rfile = BytesIO(head)

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
