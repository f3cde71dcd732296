"""Bodies are read within limits, whatever the other side does."""

import asyncio
from collections.abc import Iterator

import pytest

from gateway import request_body
from gateway.problems import Problem
from gateway.request_body import MAX_BODY, BodyReader
from tests.support import event_loop

PIECE = b"x" * 65_536


class Stream:
    """A body in pieces, as the server hands it over; it never ends where ``stalls``."""

    def __init__(self, *pieces: bytes, stalls: bool = False) -> None:
        self._pieces: Iterator[bytes] = iter(pieces)
        self._stalls = stalls

    async def __call__(self) -> bytes:
        if self._stalls:
            await asyncio.sleep(60)
        return b"".join(self._pieces)

    def __aiter__(self) -> "Stream":
        return self

    async def __anext__(self) -> bytes:
        await asyncio.sleep(0)
        piece = next(self._pieces, None)
        if piece is None:
            if self._stalls:
                await asyncio.sleep(60)
            raise StopAsyncIteration
        return piece


def read(stream: Stream, length: int | None = None, reader: BodyReader | None = None) -> bytes:
    told = None if length is None else str(length)
    return event_loop.run((reader or BodyReader()).read(stream, told, chunked=length is None))


def refused(stream: Stream, length: int | None = None, reader: BodyReader | None = None) -> int:
    with pytest.raises(Problem) as caught:
        read(stream, length, reader)
    return caught.value.status


def test_a_small_body_and_a_large_one_are_read_whole() -> None:
    assert read(Stream(b"{}"), 2) == b"{}"
    assert read(Stream(*[PIECE] * 16, b""), MAX_BODY) == b"x" * MAX_BODY
    assert read(Stream(b"{", b"}", b"")) == b"{}"


def test_no_body_is_none() -> None:
    assert event_loop.run(BodyReader().read(Stream(stalls=True), None, chunked=False)) == b""


@pytest.mark.parametrize("length", [2, MAX_BODY, None])
def test_a_body_that_stalls_is_408(length: int | None) -> None:
    assert refused(Stream(b"{", stalls=True), length, BodyReader(timeout_s=0.05)) == 408


def test_one_byte_too_many_is_413() -> None:
    assert refused(Stream(*[PIECE] * 16, b"x", b"")) == 413


@pytest.mark.parametrize(("pieces", "length"), [((b"{}", b"", b""), None), ((PIECE, b""), 70_000)])
def test_a_body_that_breaks_off_is_400(pieces: tuple[bytes, ...], length: int | None) -> None:
    assert refused(Stream(*pieces), length) == 400


def test_all_that_is_read_at_once_has_a_limit_and_its_place_is_free_afterwards(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(request_body, "MAX_HELD", 10 * len(PIECE))
    reader = BodyReader(timeout_s=0.2)

    async def scenario() -> list[bytes | BaseException]:
        slow = [reader.read(Stream(*[PIECE] * 4, stalls=True), None, chunked=True) for _ in range(3)]
        return await asyncio.gather(*slow, return_exceptions=True)

    outcomes = event_loop.run(scenario())
    statuses = [outcome.status for outcome in outcomes if isinstance(outcome, Problem)]
    assert sorted(statuses) == [408, 408, 503]
    assert read(Stream(*[PIECE] * 10, b""), reader=reader) == PIECE * 10
