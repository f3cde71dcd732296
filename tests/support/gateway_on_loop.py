"""The gateway's app on an event loop in a thread, called from tests as WSGI."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

from flask.testing import FlaskClient

from gateway.app import create
from gateway.consumer_client import ConsumerClient
from gateway.request_reader import REQUEST_TIMEOUT_S
from gateway.wsgi import DEADLINE
from pipeline.settings import read
from tests.support.greenlets import run

T = TypeVar("T")


class Loop:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def do(self, function: Callable[..., Awaitable[T]], *args: Any, **kwargs: Any) -> T:
        """What the coroutine returns, once the loop has run it."""

        async def call() -> T:
            return await function(*args, **kwargs)

        return asyncio.run_coroutine_threadsafe(call(), self._loop).result(30)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


class Gateways:
    """Makes apps in front of consumers, and ends what they opened."""

    def __init__(self) -> None:
        self.loop = Loop()
        self._clients: list[ConsumerClient] = []

    def api(self, consumer_address: str, **settings: str) -> FlaskClient:
        """A test client of an app in front of the consumer at the address."""
        client = self.loop.do(self._connect, consumer_address)
        app = create(client, read(settings))
        inner = app.wsgi_app

        def on_loop(environ: Any, start_response: Any) -> Iterable[bytes]:
            environ.setdefault(DEADLINE, time.monotonic() + REQUEST_TIMEOUT_S)  # as the server sets it
            return self.loop.do(run, inner, environ, start_response)

        app.wsgi_app = on_loop  # type: ignore[method-assign]  # Flask's documented way to wrap an app
        return app.test_client()

    async def _connect(self, address: str) -> ConsumerClient:
        client = ConsumerClient(address)
        self._clients.append(client)
        return client

    def close(self) -> None:
        for client in self._clients:
            self.loop.do(client.close)
        self.loop.stop()
