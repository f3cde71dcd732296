"""Reads the complete body of a request on the event loop, within limits of time and size."""

import asyncio
from typing import Protocol

from gateway.problems import Problem, retry_later

MAX_BODY = 1024 * 1024
"""Maximum size of a body, bytes."""

TIMEOUT_S = 4.0
"""Maximum time from head to end of body; the rest of the request's time is for the consumer."""

SMALL = 16 * 1024
"""Bytes; bodies up to this size, nearly all, are read in one piece."""

MAX_HELD = 64 * 1024 * 1024
"""Total bytes of larger bodies that one process buffers."""

MAX_SKIPPED = 8 * 1024 * 1024
"""Bytes of an oversized body that are read and dropped: a client sees no response while it is sending."""


class HttpProtocol(Protocol):
    """What is used of RSGI's HTTP protocol."""

    async def __call__(self) -> bytes:
        """The whole body."""

    def __aiter__(self) -> "HttpProtocol":
        """The body in pieces; an empty piece at its end, and one more if it was cut off."""

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
            Problem: 408 if it is too slow, 413 if it is too large, 400 if it is cut off, 503 if too many
                large ones are being read.
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
            raise retry_later(503, "too many large requests are in progress: nothing was accepted")


def _too_large() -> Problem:
    return Problem(413, f"the body is over {MAX_BODY >> 20} MiB")
