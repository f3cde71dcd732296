"""What the services without a web server of their own serve to operators: /metrics, /healthz, /readyz."""

import socket
from collections.abc import Callable
from http.server import ThreadingHTTPServer
from pathlib import Path

from prometheus_client import REGISTRY
from prometheus_client.exposition import MetricsHandler

from pipeline import essential
from pipeline.settings import Settings, host_port


def serve(settings: Settings, ready: Callable[[], bool]) -> ThreadingHTTPServer:
    """Start serving in a thread; ``ready`` returns whether the service can do its work now.

    The address is written to ``<run_dir>/<name>.address``, because the port may be chosen by the system.

    Raises:
        OSError: the port is in use.
    """

    class Handler(_Handler):
        is_ready = staticmethod(ready)

    bind = settings.metrics_bind
    server = (_Server6 if ":" in bind else ThreadingHTTPServer)((bind, settings.metrics_port), Handler)
    server.daemon_threads = True
    essential.start("admin-server", server.serve_forever)
    if settings.run_dir:
        _write(settings.run_dir / f"{settings.name}.address", f"{host_port(bind, server.server_port)}\n")
    return server


class _Server6(ThreadingHTTPServer):
    address_family = socket.AF_INET6


class _Handler(MetricsHandler):
    registry = REGISTRY
    is_ready: Callable[[], bool]

    def do_GET(self) -> None:
        if self.path == "/healthz":
            self._respond(200, "ok")
        elif self.path == "/readyz":
            self._respond(*((200, "ready") if self.is_ready() else (503, "not ready")))
        elif self.path.partition("?")[0] == "/metrics":
            super().do_GET()
        else:
            self._respond(404, "not found; available: /metrics, /healthz, /readyz")

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
