"""The gateway's server with a rival's application: in greenlets, or in threads for a blocking client."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from gunicorn.workers.base import Worker

from gateway import wsgi
from gateway.http_connection import Connection, Response
from gateway.problems import Problem
from gateway.request_reader import Request
from gateway.server import Server
from gateway.worker_process import PERIOD_S, LoopWorker

CONNECTIONS = 1_000
STOP_S = 2.0


class GreenletServer(LoopWorker):
    """The gateway's worker, with the application that gunicorn loads."""

    load_wsgi = Worker.load_wsgi

    def handler(self) -> Callable[[Request | Problem, Connection], None]:
        """What answers requests."""
        return wsgi.WsgiHandler(self.wsgi)

    async def _serve(self) -> None:
        stop = self._stop_on_signals()
        server = Server(self.handler(), self.sockets[0].sock, CONNECTIONS)
        server.start()
        while self.alive and not stop.is_set():
            self.notify()
            await asyncio.sleep(PERIOD_S / 4)
        await server.stop(STOP_S)


class ThreadServer(GreenletServer):
    """The views run in ``threads`` threads, the protocol in the loop's."""

    def handler(self) -> Callable[[Request | Problem, Connection], None]:
        loop = asyncio.get_running_loop()
        pool = ThreadPoolExecutor(self.app.threads)

        def handle(request: Request | Problem, connection: Connection) -> None:
            if isinstance(request, Problem):
                loop.call_soon(connection.respond, _plain(request))
                return
            environ = wsgi.environ_of(request, connection.client, connection.address)
            pool.submit(self._answer, environ, connection, loop)

        return handle

    def _answer(
        self, environ: dict[str, Any], connection: Connection, loop: asyncio.AbstractEventLoop
    ) -> None:
        loop.call_soon_threadsafe(connection.respond, wsgi.call(self.wsgi, environ))


def _plain(problem: Problem) -> Response:
    return problem.status.value, [("Content-Length", "0")], b""
