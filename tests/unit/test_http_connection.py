"""One connection: requests are answered in order, one at a time, and no client keeps it for ever."""

import asyncio
import socket
import struct
import time
from collections.abc import Awaitable, Callable

import pytest

from gateway import http_connection
from gateway.http_connection import IDLE_TIMEOUT_S, Connection
from gateway.problems import Problem
from gateway.request_body import Held
from gateway.request_reader import BODY_TIMEOUT_S, HEAD_TIMEOUT_S, Request
from tests.support import event_loop

GET = b"GET / HTTP/1.1\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"
LONG = 200.0


class Site:
    """A connection over a real socket; ``client`` is its other end."""

    def __init__(self) -> None:
        self.held = Held()
        self.forwarded: list[Request | Problem] = []
        self.ended = asyncio.Event()
        self.answers_at_once = False
        self.body = b"ok"

    async def begin(self) -> "Site":
        loop = asyncio.get_running_loop()
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)  # so that little is buffered outside
        client = socket.create_connection(listener.getsockname())
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16_384)
        accepted, _ = listener.accept()
        listener.close()
        accepted.setblocking(False)
        _, self.connection = await loop.connect_accepted_socket(lambda: Connection(self), accepted)
        self.reader, self.writer = await asyncio.open_connection(sock=client)
        return self

    def opened(self, connection: Connection) -> None: ...

    def closed(self, connection: Connection) -> None:
        self.ended.set()

    def handle(self, request: Request | Problem, connection: Connection) -> None:
        self.forwarded.append(request)
        if self.answers_at_once or isinstance(request, Problem):
            self.answer()

    def answer(self) -> None:
        request = self.forwarded[-1]
        status = request.status.value if isinstance(request, Problem) else 200
        self.connection.respond((status, [("Content-Length", str(len(self.body)))], self.body))

    async def send(self, data: bytes, requests: int) -> None:
        """Send, and wait until this many requests have been forwarded in all."""
        if data:
            self.writer.write(data)
        while len(self.forwarded) < requests:
            await asyncio.sleep(0.001)

    async def response(self) -> bytes:
        """Its head, and the body of the site's responses."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        return head + await self.reader.readexactly(len(self.body))

    async def rest(self) -> bytes:
        """What comes until the connection ends."""
        return await self.reader.read()

    def later(self, seconds: float) -> None:
        self.connection.expire(time.monotonic() + seconds)


def on_site(scenario: Callable[[Site], Awaitable[None]]) -> None:
    async def run() -> None:
        async with asyncio.timeout(LONG):
            site = await Site().begin()
            try:
                await scenario(site)
            finally:
                site.writer.transport.abort()
                await site.ended.wait()

    event_loop.run(run())


def test_a_connection_that_was_reset_before_it_was_accepted_has_no_address() -> None:
    class Reset(asyncio.Transport):
        def get_extra_info(self, name: str, default: object = None) -> object:
            return ("127.0.0.1", 8000) if name == "sockname" else None

    async def begin() -> Connection:
        connection = Connection(Site())
        connection.connection_made(Reset())
        return connection

    connection = event_loop.run(begin())
    assert (connection.client, connection.address) == (("", 0), ("127.0.0.1", 8000))


def test_requests_that_come_together_are_answered_one_after_another() -> None:
    async def scenario(site: Site) -> None:
        await site.send(GET + POST + GET, 1)
        for count in (1, 2, 3):
            await asyncio.sleep(0.01)
            assert len(site.forwarded) == count
            site.answer()
            assert (await site.response()).startswith(b"HTTP/1.1 200 OK\r\n")
            while count < 3 and len(site.forwarded) == count:
                await asyncio.sleep(0.001)

    on_site(scenario)


def test_a_response_says_when_it_was_made_and_whether_the_connection_stays() -> None:
    async def scenario(site: Site) -> None:
        site.answers_at_once = True
        await site.send(GET, 1)
        kept = await site.response()
        assert b"\r\nConnection: keep-alive\r\n" in kept
        assert b"\r\nDate: " in kept
        assert b" GMT\r\n" in kept
        await site.send(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"), 2)
        assert b"\r\nConnection: close\r\n" in await site.rest()

    on_site(scenario)


def test_many_requests_that_come_together_are_not_read_before_their_turn() -> None:
    async def scenario(site: Site) -> None:
        site.writer.write(GET * 10_000)
        for _ in range(20):
            await asyncio.sleep(0.01)
        assert site.writer.transport.get_write_buffer_size() > 0
        site.answers_at_once = True
        site.answer()
        for _ in range(10_000):
            await site.response()

    on_site(scenario)


def test_who_does_not_read_gets_no_further_responses() -> None:
    async def scenario(site: Site) -> None:
        site.answers_at_once = True
        site.body = b"x" * 4_000_000
        await site.send(GET * 20, 1)
        await asyncio.sleep(0.1)
        assert len(site.forwarded) < 20
        for _ in range(20):
            await site.response()
        assert len(site.forwarded) == 20

    on_site(scenario)


def test_who_has_sent_all_gets_the_response() -> None:
    async def scenario(site: Site) -> None:
        site.writer.write(GET)
        site.writer.write_eof()
        await site.send(b"", 1)
        await asyncio.sleep(0.05)
        site.answer()
        assert (await site.rest()).startswith(b"HTTP/1.1 200 OK\r\n")
        await site.ended.wait()

    on_site(scenario)


def test_a_client_that_leaves_is_forgotten_and_its_response_dropped() -> None:
    async def scenario(site: Site) -> None:
        await site.send(POST, 1)
        reset = struct.pack("ii", 1, 0)
        site.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
        site.writer.transport.abort()
        await site.ended.wait()
        site.answer()

    on_site(scenario)


def test_100_continue_is_sent_after_the_responses_before_it() -> None:
    async def scenario(site: Site) -> None:
        expects = b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
        await site.send(GET + expects, 1)
        await asyncio.sleep(0.02)
        site.answer()
        assert (await site.response()).startswith(b"HTTP/1.1 200 OK\r\n")
        assert await site.reader.readexactly(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        await site.send(b"{}", 2)
        site.answer()
        assert (await site.response()).startswith(b"HTTP/1.1 200 OK\r\n")

    on_site(scenario)


def test_an_error_is_read_by_a_client_that_is_still_sending(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_connection, "LINGER_S", 120.0)  # more than a busy machine stands still

    async def scenario(site: Site) -> None:
        site.writer.write(b"POST / HTTP/1.1\r\nContent-Length: 9000000\r\n\r\n")
        for _ in range(64):
            site.writer.write(b"x" * 65_536)
            await asyncio.sleep(0.001)
        answer = await site.rest()
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b"\r\nConnection: close\r\n" in answer
        site.later(60)
        await asyncio.sleep(0.02)
        assert not site.ended.is_set()
        site.later(120.1)
        await site.ended.wait()

    on_site(scenario)


@pytest.mark.parametrize(
    ("begun", "seconds", "answer"),
    [
        (b"", IDLE_TIMEOUT_S, b""),
        (b"GET / HTTP/1.1\r\n", HEAD_TIMEOUT_S, b"HTTP/1.1 408 "),
        (b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{", BODY_TIMEOUT_S, b"HTTP/1.1 408 "),
    ],
    ids=["idle", "head", "body"],
)
def test_what_is_overdue_ends(begun: bytes, seconds: float, answer: bytes) -> None:
    async def scenario(site: Site) -> None:
        site.writer.write(begun)
        await asyncio.sleep(0.05)
        site.later(seconds / 2)
        await asyncio.sleep(0.02)
        assert not site.forwarded
        assert not site.reader.at_eof()
        site.later(seconds + 0.1)
        try:
            got = await site.rest()
        except ConnectionResetError:
            got = b""
        assert got[:13] == answer

    on_site(scenario)


def test_a_request_that_waits_for_its_response_is_not_overdue() -> None:
    async def scenario(site: Site) -> None:
        await site.send(POST, 1)
        site.later(10 * IDLE_TIMEOUT_S)
        site.answer()
        assert (await site.response()).startswith(b"HTTP/1.1 200 OK\r\n")
        assert not site.ended.is_set()

    on_site(scenario)


def test_a_stop_closes_what_is_idle() -> None:
    async def scenario(site: Site) -> None:
        site.connection.stop()
        assert await site.rest() == b""
        await site.ended.wait()

    on_site(scenario)


@pytest.mark.parametrize("split", [len(POST), len(POST) - 1], ids=["answering", "reading the body"])
def test_a_stop_answers_what_has_begun_and_closes(split: int) -> None:
    async def scenario(site: Site) -> None:
        site.writer.write(POST[:split])
        await asyncio.sleep(0.05)
        site.connection.stop()
        await site.send(POST[split:], 1)
        site.answer()
        answer = await site.rest()
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"\r\nConnection: close\r\n" in answer
        await site.ended.wait()

    on_site(scenario)


def test_the_date_is_that_of_the_second(monkeypatch: pytest.MonkeyPatch) -> None:
    for now_s, text in ((784_111_777.9, "08:49:37"), (784_111_778.0, "08:49:38")):
        monkeypatch.setattr(time, "time", lambda now_s=now_s: now_s)
        head = http_connection._encode((200, [], b""), keep_alive=True)  # noqa: SLF001
        assert f"Date: Sun, 06 Nov 1994 {text} GMT\r\n".encode() in head
