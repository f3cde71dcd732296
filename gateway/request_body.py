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
    """The larger bodies that a process buffers.

    Over the limit those that have been incomplete longest are dropped: who stalls would else shut out others.
    """

    def __init__(self, limit: int = MAX_HELD) -> None:
        self._limit = limit
        self._sizes: dict[Body, int] = {}  # in the order in which they became large
        self.size = 0

    def grow(self, body: "Body", size: int) -> None:
        """``body`` has ``size`` bytes now."""
        self.size += size - self._sizes.get(body, 0)
        self._sizes[body] = size
        while self.size > self._limit:
            next(iter(self._sizes)).drop()

    def forget(self, body: "Body") -> None:
        """``body`` is no longer buffered."""
        self.size -= self._sizes.pop(body, 0)


class Body:
    """The body of one request, as it arrives.

    Args:
        held: counts it, until ``detach`` or ``release``.
    """

    __slots__ = ("_buffer", "_dropped", "_held", "size")

    def __init__(self, held: Held) -> None:
        self._held = held
        self._dropped = False
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
        self._check_dropped()
        self._buffer += piece
        if self.size > SMALL:
            self._held.grow(self, self.size)
            self._check_dropped()

    def detach(self) -> bytes:
        """All of it, which is no longer counted. Raises Problem: 413 if too large, 503 if dropped."""
        if self.size > MAX_BODY:
            raise too_large()
        self._check_dropped()
        whole = bytes(self._buffer)
        self.release()
        return whole

    def release(self) -> None:
        """Drop what is buffered."""
        self._buffer.clear()
        if self.size > SMALL:
            self._held.forget(self)

    def drop(self) -> None:
        """Make room for others: its sender is told with its next piece, or by its deadline."""
        self._dropped = True
        self.release()

    def _check_dropped(self) -> None:
        if self._dropped:
            raise retry_later(503, "too many large requests are in progress: nothing was accepted")


def too_large() -> Problem:
    """The response to a request whose body is over the limit."""
    return Problem(413, f"the body is over {MAX_BODY >> 20} MiB")
