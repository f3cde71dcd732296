"""The rivals' HTTP API: ``python -m bench.rivals.front_end RIVAL --port N --server KIND …``.

The gateway's kind of Flask application: it parses a message as the gateway does, enqueues it, and answers 202
once the queue has it. It is served in one of three ways, of which each rival is given the best:

- ``loop``: the gateway's own server, whose view waits in a greenlet; for clients that are asynchronous.
- ``threads``: the same server with a pool of threads for the views: a blocking client would stop its loop.
- ``gthread``: gunicorn's own worker with threads.
"""

import argparse
import logging
import socket
import sys
import time
from collections.abc import Callable, Mapping

from flask import Flask, Response, request

from bench.rivals import catalogue
from bench.rivals.front_end_server import GreenletServer, ThreadServer
from bench.rivals.rival import Rival
from gateway import greenlets, problems
from gateway.lean_flask import LeanFlask, json_response
from gateway.message_json import parse
from gateway.problems import Problem
from gateway.request_body import MAX_BODY
from pipeline.gunicorn_server import GunicornServer
from pipeline.listening import listen
from pipeline.message import Arrival
from pipeline.settings import load_or_exit

SERVERS: Mapping[str, type | str] = {"loop": GreenletServer, "threads": ThreadServer, "gthread": "gthread"}
log = logging.getLogger(__name__)


def create(enqueue: Callable[[Arrival], None]) -> Flask:
    """The application in front of ``enqueue``."""
    app = LeanFlask(__name__)

    @app.post("/messages")
    def messages() -> Response:
        gateway_ns = time.time_ns()
        try:
            parsed = parse(request.environ["wsgi.input"].read(MAX_BODY + 1), gateway_ns)
        except Problem as problem:
            return problems.respond(problem)
        try:
            for message in parsed:
                enqueue(Arrival(message, time.time_ns()))
        except Exception as error:  # noqa: BLE001 - each client has errors of its own
            log.warning("not enqueued: %s", error)
            return problems.respond(problems.retry_later(503, "the queue is unavailable"))
        return json_response({"accepted": len(parsed), "duplicates": 0}, status=202)

    return app


class Processes(GunicornServer):
    """gunicorn with ``application``, which is made in each process, after the fork."""

    def __init__(self, listener: socket.socket, rival: str, wanted: argparse.Namespace) -> None:
        self._rival = rival
        self._is_threaded = wanted.server == "gthread"
        self.threads = wanted.threads
        options = {"threads": wanted.threads} if self._is_threaded else {}
        super().__init__(
            load_or_exit("gateway"),
            [listener],
            workers=wanted.processes,
            worker_class=SERVERS[wanted.server],
            timeout=60,
            graceful_timeout=2,
            keepalive=15,
            **options,
        )

    def load(self) -> Flask:
        """The application; in a process that serves."""
        return create(_blocking(catalogue.load(self._rival)))


def _blocking(rival: Rival) -> Callable[[Arrival], None]:
    """Its enqueue as a view calls it."""
    enqueue = rival.enqueue
    if not rival.is_async:
        return enqueue
    return lambda arrival: greenlets.wait(enqueue(arrival))


def main() -> int:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser()
    parser.add_argument("rival", choices=catalogue.NAMES)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--server", choices=SERVERS, required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--processes", type=int, default=1)
    wanted = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    Processes(listen("127.0.0.1", wanted.port, "--port"), wanted.rival, wanted).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
