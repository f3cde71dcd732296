"""A stand-in for the gateway with behaviour by request, in the event loop of the test, over real sockets."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

ARRIVED_AT = "2026-01-01T00:00:00.000123Z"
ARRIVED_US = 1_767_225_600_000_123


@dataclass
class TrivialGateway:
    """Answers 202, or as ``answer`` says: a status with headers, or None for no answer at all."""

    answer: Callable[[int, list[dict[str, Any]]], Awaitable[tuple[int, str] | None]]
    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    connections: int = 0
    url: str = ""

    async def __aenter__(self) -> "TrivialGateway":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *error: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                lines = [line.partition(": ") for line in head.splitlines()[1:] if line]
                headers = {name: value for name, _, value in lines}
                body = await reader.readexactly(int(headers["Content-Length"]))
                self.bodies.append(body)
                self.headers.append(headers)
                sent = json.loads(body)
                messages = sent if isinstance(sent, list) else [sent]
                answer = await self.answer(len(self.bodies) - 1, messages)
                if answer is None:
                    return
                writer.write(_response(*answer, len(messages)))
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()


async def accept(index: int, messages: list[dict[str, Any]]) -> tuple[int, str] | None:
    """202 to everything."""
    return 202, ""


def _response(status: int, headers: str, count: int) -> bytes:
    body = json.dumps({"accepted": count, "duplicates": 0, "arrived_at": ARRIVED_AT})
    return f"HTTP/1.1 {status} Given\r\n{headers}Content-Length: {len(body)}\r\n\r\n{body}".encode()
