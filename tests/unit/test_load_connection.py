"""One connection of the sender, over a real socket, and what its other side sees."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from load.connection import Answer, Connection
from load.pool import Pool
from tests.support import event_loop

PATIENCE_S = 30.0
KEPT = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
LAST = b"HTTP/1.1 202 Accepted\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class Peer:
    """A server that gives one answer to its first request, and never ends a connection by itself."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self.ended = asyncio.Event()
        self.reported: list[str] = []
        """What the connection reported, in order."""
        self.answered = asyncio.Event()

    async def connect(self) -> Connection:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: Connection(self._on_answer, self._on_lost), *self._server.sockets[0].getsockname()
        )
        return connection

    async def sees_the_end(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            await self.ended.wait()
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(self._answer)
            await reader.read()
        except ConnectionError:
            pass
        finally:
            self.ended.set()
            writer.close()

    def _on_answer(self, _: Connection, answer: Answer) -> None:
        self.reported.append(str(answer.status))
        self.answered.set()

    def _on_lost(self, _: Connection, reason: str) -> None:
        self.reported.append(reason)


def run(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    event_loop.run(scenario())


def test_what_is_given_up_is_ended_for_the_server_too_and_reported_once() -> None:
    async def scenario() -> None:
        peer = Peer(b"")
        connection = await peer.connect()
        connection.send(b"POST / HTTP/1.1\r\n\r\n")
        connection.end("timeout")
        connection.end("closed")
        await peer.sees_the_end()
        assert not connection.is_open
        assert peer.reported == ["timeout"]

    run(scenario)


@pytest.mark.parametrize(("answer", "stays"), [(KEPT, True), (LAST, False)])
def test_it_carries_a_further_request_unless_the_answer_was_said_to_be_the_last(
    answer: bytes, stays: bool
) -> None:
    async def scenario() -> None:
        peer = Peer(answer)
        connection = await peer.connect()
        connection.send(b"POST / HTTP/1.1\r\n\r\n")
        async with asyncio.timeout(PATIENCE_S):
            await peer.answered.wait()
        assert connection.is_open is stays
        if stays:
            connection.end("done with")
        await peer.sees_the_end()
        assert peer.reported == ["202", "done with" if stays else "connection closed"]

    run(scenario)


def test_a_connection_that_is_being_opened_ends_with_its_pool() -> None:
    async def scenario() -> None:
        began, ended = asyncio.Event(), asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            began.set()
            while await reader.read(65_536):  # what it says of TLS, which is never answered
                pass
            ended.set()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        pool = Pool(f"https://{host}:{port}", 1, timeout_s=10 * PATIENCE_S)
        opening = asyncio.create_task(pool.connect())
        async with asyncio.timeout(PATIENCE_S):
            await began.wait()
            pool.close(lambda request: None)
            await ended.wait()
        with pytest.raises(asyncio.CancelledError):
            await opening
        server.close()

    run(scenario)
