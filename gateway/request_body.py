"""The body of a request, collected within limits of size and memory."""

from gateway.problems import Problem, retry_later

MAX_BODY = 1024 * 1024
"""Maximum size of a body, bytes."""

SMALL = 16 * 1024
"""Bytes; bodies up to this size, nearly all, do not count as held."""

MAX_HELD = 64 * 1024 * 1024
"""Total bytes of larger bodies that one process buffers."""

MAX_SKIPPED = 8 * 1024 * 1024
"""Bytes of an oversized body that are read and dropped: a client sees no response while it is sending."""


class Held:
    """How many bytes of larger bodies a process buffers."""

    def __init__(self, limit: int = MAX_HELD) -> None:
        self.limit = limit
        self.size = 0


class Body:
    """The body of one request, as it arrives.

    Args:
        held: counts it, until ``detach`` or ``release``.
    """

    __slots__ = ("_buffer", "_held", "_own", "size")

    def __init__(self, held: Held) -> None:
        self._held = held
        self._own = 0
        self._buffer = bytearray()
        self.size = 0
        """Bytes received, buffered or not."""

    def add(self, piece: bytes) -> None:
        """Append ``piece``. Raises Problem: 413 where no more should be read, 503 where memory is short."""
        self.size += len(piece)
        if self.size > MAX_SKIPPED:
            raise too_large()
        if self.size > MAX_BODY:
            self.release()
            return
        self._buffer += piece
        if self.size > SMALL:
            self._held.size += self.size - self._own
            self._own = self.size
            if self._held.size > self._held.limit:
                raise retry_later(503, "too many large requests are in progress: nothing was accepted")

    def detach(self) -> bytes:
        """All of it, which is no longer counted. Raises Problem: 413 where it was too large."""
        if self.size > MAX_BODY:
            raise too_large()
        whole = bytes(self._buffer)
        self.release()
        return whole

    def release(self) -> None:
        """Drop what is buffered."""
        self._buffer.clear()
        self._held.size -= self._own
        self._own = 0


def too_large() -> Problem:
    """The response to a request whose body is over the limit."""
    return Problem(413, f"the body is over {MAX_BODY >> 20} MiB")
