"""Who holds all connections that the gateway may have shuts nobody out, unless each of them has a request."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest

from gateway import server
from gateway.http_connection import IDLE_TIMEOUT_S, Connection
from gateway.problems import Problem
from gateway.request_reader import Request
from gateway.server import Server
from tests.support import event_loop

GET = b"GET / HTTP/1.1\r\n\r\n"
MAX = 3


class Client:
    """A connection to the server under test."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address

    async def connect(self) -> "Client":
        self._reader, self._writer = await asyncio.open_connection(*self._address)
        return self

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    async def is_answered(self) -> bool:
        """Whether a response comes; False where the connection ends."""
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            head = await self._reader.readuntil(b"\r\n\r\n")
            return head.startswith(b"HTTP/1.1 200 ")
        return False

    async def close(self) -> None:
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()

    async def asks(self) -> bool:
        self.send(GET)
        return await self.is_answered()


def with_clients(scenario: Callable[[list[Client]], Awaitable[None]]) -> None:
    """``scenario`` is given one client more than the server may have; none is connected."""

    def handle(request: Request | Problem, connection: Connection) -> None:
        connection.respond((200, [("Content-Length", "0")], b""))

    async def run() -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setblocking(False)
        clients = [Client(listener.getsockname()) for _ in range(MAX + 1)]
        served = Server(handle, listener, MAX)
        served.start()
        try:
            async with asyncio.timeout(IDLE_TIMEOUT_S - 5):
                await scenario(clients)
        finally:
            await served.stop(5)
            for client in clients:
                await client.close()

    event_loop.run(run())


def test_a_further_connection_replaces_the_one_that_has_been_idle_longest() -> None:
    async def scenario(clients: list[Client]) -> None:
        first, second, third, fourth = clients
        for client in (first, second, third):
            await client.connect()
            assert await client.asks()
        assert await first.asks()
        await fourth.connect()
        assert await fourth.asks()
        assert not await second.is_answered()
        for client in (first, third, fourth):
            assert await client.asks()

    with_clients(scenario)


def test_what_never_sent_a_request_is_replaced_too() -> None:
    async def scenario(clients: list[Client]) -> None:
        for client in clients[:MAX]:
            await client.connect()
        last = await clients[MAX].connect()
        assert await last.asks()
        assert not await clients[0].is_answered()

    with_clients(scenario)


def test_where_each_has_a_request_a_further_one_waits_until_one_has_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "CHECK_S", 0.01)

    async def scenario(clients: list[Client]) -> None:
        begun = clients[:MAX]
        for client in begun:
            await client.connect()
            client.send(GET + GET[:-2])
            assert await client.is_answered()
        last = await clients[MAX].connect()
        asking = asyncio.create_task(last.asks())
        await asyncio.sleep(0.2)
        assert not asking.done()
        begun[1].send(GET[-2:])
        assert await begun[1].is_answered()
        assert await asking
        assert not await begun[1].is_answered()
        for client in (begun[0], begun[2]):
            client.send(GET[-2:])
            assert await client.is_answered()

    with_clients(scenario)
