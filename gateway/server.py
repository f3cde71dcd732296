"""The server's entry point for each request: read it completely, run Flask, respond.

RSGI is granian's own interface for an event loop (its docs, "RSGI specification"). A slow client uses a
connection and memory, never a thread: Flask runs once the whole request is here.
"""

import asyncio
import gc
import logging
import os
import time
from typing import Protocol

from gateway import app, guards, metrics, problems, wsgi
from gateway.consumer_client import ConsumerClient
from gateway.greenlets import run
from gateway.heartbeat import STARTED_NS, Heartbeat
from gateway.problems import Problem
from gateway.request_body import BodyReader, HttpProtocol
from pipeline import logs
from pipeline.parent_watch import exit_with_parent
from pipeline.settings import read

log = logging.getLogger("gateway")


class Connection(HttpProtocol, Protocol):
    """What is used of RSGI's HTTP protocol."""

    def response_bytes(self, status: int, headers: wsgi.Headers, body: bytes) -> None:
        """Answer the request."""


class Server:
    """Serves a WSGI application on the event loop of one process.

    Args:
        heartbeat: runs on that loop for as long as the process serves.
    """

    def __init__(self, application: wsgi.Application, heartbeat: Heartbeat | None = None) -> None:
        self._application = application
        self._bodies = BodyReader()
        self._heartbeat = heartbeat

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Called once, before the first request."""
        if self._heartbeat:
            self._heartbeat.start(loop)

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Called once, after the last request."""
        if self._heartbeat:
            loop.run_until_complete(self._heartbeat.end())

    async def __rsgi__(self, scope: wsgi.Scope, connection: Connection) -> None:
        """Respond to one request."""
        deadline_s = time.monotonic() + app.REQUEST_TIMEOUT_S
        headers = scope.headers
        try:
            body = await self._bodies.read(
                connection, headers.get("content-length"), chunked="transfer-encoding" in headers
            )
        except Problem as problem:
            metrics.REQUESTS.labels(problem.status.value).inc()
            connection.response_bytes(*_error_response(problem))
            return
        environ = wsgi.environ_of(scope, body)
        environ[app.DEADLINE] = deadline_s
        connection.response_bytes(*await run(wsgi.call, self._application, environ))


def serve() -> Server:
    """The server of one of granian's worker processes; called in the thread of its event loop."""
    exit_with_parent()
    settings = read(os.environ, "gateway")
    logs.setup(settings.name, settings.log_level)
    consumer = ConsumerClient(settings.consumer_address)
    started_ns = int(os.environ.get(STARTED_NS, time.time_ns()))
    server = Server(app.create(consumer, settings), Heartbeat(consumer, settings.name, started_ns))
    gc.collect()
    gc.freeze()  # so that the collector does not scan the libraries during a request
    return server


def _error_response(problem: Problem) -> wsgi.WsgiResponse:
    """The response to a request that was not read completely; its connection can't be used again."""
    headers = {"Content-Type": problems.MEDIA_TYPE, "Connection": "close"} | guards.HEADERS | problem.headers
    return problem.status.value, list(headers.items()), problems.encode(problem)
