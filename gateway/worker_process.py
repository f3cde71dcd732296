"""The gateway: one process, or several that gunicorn starts, watches and replaces, all with one listener."""

import asyncio
import gc
import signal
import socket
import time
from contextlib import suppress
from functools import partial

import uvloop
from gunicorn.workers.base import Worker

from pipeline import certificate
from pipeline.certificate import ServerContext
from pipeline.gunicorn_server import GunicornServer
from pipeline.parent_watch import exit_with_parent
from pipeline.renewed_files import RenewedFiles
from pipeline.settings import Settings

STOP_S = 7.0
"""How long a stop waits for requests that have begun; each has a deadline before that."""

GRACE_S = 8
"""A worker that has not stopped after this is killed."""

HANGS_S = 30
"""A worker whose event loop has stood still for this long is killed and replaced."""

PERIOD_S = 1.0
"""How often a worker reports that it is alive, and checks for renewed certificates."""

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
"""gunicorn's first process passes SIGINT on as SIGQUIT."""


class Processes(GunicornServer):
    """Serves on ``listener`` and owns it; each worker accepts up to ``max_connections``."""

    def __init__(self, settings: Settings, listener: socket.socket, max_connections: int) -> None:
        self.max_connections = max_connections
        self.started_ns = time.time_ns()
        super().__init__(
            settings,
            [listener],
            workers=settings.gateway_processes,
            worker_class=LoopWorker,
            timeout=HANGS_S,
            graceful_timeout=GRACE_S,
        )


class LoopWorker(Worker):  # type: ignore[misc] # gunicorn has no types
    """A worker that serves on an event loop. It makes its application there, so gunicorn loads none."""

    app: Processes

    def load_wsgi(self) -> None:
        """Nothing: see ``_serve``."""

    def run(self) -> None:
        if self.cfg.workers > 1:
            exit_with_parent()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        # Only here: gRPC must not be imported before the fork, and the metrics' files carry the process's id.
        from gateway.app import create
        from gateway.consumer_client import ConsumerClient
        from gateway.heartbeat import Heartbeat
        from gateway.server import Server
        from gateway.wsgi import WsgiHandler

        stop = self._stop_on_signals()
        settings = self.app.settings
        consumer = ConsumerClient(settings.consumer_address, settings.grpc_tls)
        tls = _served(settings)
        heartbeat = Heartbeat(partial(consumer.report, settings.name, self.app.started_ns))
        handler = WsgiHandler(create(consumer, settings), "https" if tls else "http")
        server = Server(handler, self.sockets[0].sock, self.app.max_connections, tls)
        gc.collect()
        gc.freeze()  # so that the collector does not scan the libraries during a request
        heartbeat.start(asyncio.get_running_loop())
        server.start()
        while self.alive and not stop.is_set():
            self.notify()
            await _wait(stop, PERIOD_S)
            if tls:
                tls.refresh()
            await consumer.renew()
        await server.stop(STOP_S)
        await heartbeat.end()
        await consumer.close()

    @staticmethod
    def _stop_on_signals() -> asyncio.Event:
        stop = asyncio.Event()
        for number in SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        return stop


def _served(settings: Settings) -> RenewedFiles[ServerContext] | None:
    """What the API is served with; None: no TLS."""
    pair = settings.tls
    return RenewedFiles(pair.paths, lambda: certificate.server_context(pair)) if pair else None


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
