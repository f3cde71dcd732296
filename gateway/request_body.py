"""Reads the body of a request to its end, on the event loop, within limits of time and size."""

import asyncio
from typing import Protocol

from gateway.problems import Problem, retry_later

MAX_BODY = 1024 * 1024
"""Bytes of a body."""

TIMEOUT_S = 4.0
"""A body must be here so long after its head; what is left of the request's time belongs to the consumer."""

SMALL = 16 * 1024
"""Bytes; so small a body is read in one piece, as nearly all are."""

MAX_HELD = 64 * 1024 * 1024
"""Bytes of larger bodies that one process holds while it reads them."""

MAX_SKIPPED = 8 * 1024 * 1024
"""Bytes of too long a body that are read and dropped: a client that still sends would not see the answer."""


class HttpProtocol(Protocol):
    """What is used of RSGI's HTTP protocol."""

    async def __call__(self) -> bytes:
        """The whole body."""

    def __aiter__(self) -> "HttpProtocol":
        """The body in pieces; an empty piece where it ends, and one more where it was cut off."""

    async def __anext__(self) -> bytes:
        """The next piece."""


class BodyReader:
    """Reads bodies for one process."""

    def __init__(self, timeout_s: float = TIMEOUT_S) -> None:
        self._timeout_s = timeout_s
        self._held = 0

    async def read(self, protocol: HttpProtocol, length: str | None, *, chunked: bool) -> bytes:
        """The body; ``length`` is the Content-Length.

        Raises:
            Problem: 408 where it takes too long, 413 where it is too large, 400 where it breaks off, 503
                where too many large ones are under way.
        """
        declared = int(length) if length else 0
        if not declared and not chunked:
            return b""
        try:
            async with asyncio.timeout(self._timeout_s):
                if declared and declared <= SMALL:
                    return await protocol()
                return await self._collect(protocol, declared)
        except TimeoutError:
            raise Problem(408, f"the body did not arrive within {self._timeout_s:g} s") from None
        except RuntimeError:  # the stream's own error
            raise Problem(400, "the body was cut off") from None

    async def _collect(self, protocol: HttpProtocol, declared: int) -> bytes:
        if declared > MAX_SKIPPED:
            raise _too_large()
        pieces: list[bytes] = []
        size = held = ends = 0
        try:
            async for piece in protocol:
                size += len(piece)
                ends += not piece
                if size > MAX_SKIPPED:
                    break
                if size <= MAX_BODY:
                    held += len(piece)
                    self._hold(len(piece))
                    pieces.append(piece)
        finally:
            self._held -= held
        if size > MAX_BODY:
            raise _too_large()
        if ends > 1 or (declared and size != declared):
            raise Problem(400, "the body was cut off")
        return b"".join(pieces)

    def _hold(self, size: int) -> None:
        self._held += size
        if self._held > MAX_HELD:
            raise retry_later(503, "too many large requests are under way: nothing was accepted")


def _too_large() -> Problem:
    return Problem(413, f"the body is over {MAX_BODY} bytes")
