"""Bodies are collected within limits, whatever the other side sends."""

import pytest

from gateway.problems import Problem
from gateway.request_body import MAX_BODY, MAX_SKIPPED, SMALL, Body, Held

PIECE = b"x" * 65_536


def collect(*pieces: bytes, held: Held | None = None) -> bytes:
    body = Body(held or Held())
    for piece in pieces:
        body.add(piece)
    return body.detach()


def refused(*pieces: bytes, held: Held | None = None) -> int:
    with pytest.raises(Problem) as caught:
        collect(*pieces, held=held)
    return caught.value.status


def test_a_small_body_and_a_large_one_are_whole() -> None:
    assert collect() == b""
    assert collect(b"{", b"}") == b"{}"
    assert collect(*[PIECE] * 16) == b"x" * MAX_BODY


def test_one_byte_too_many_is_413_once_it_is_read() -> None:
    body = Body(Held())
    for piece in (*[PIECE] * 16, b"x"):
        body.add(piece)
    with pytest.raises(Problem, match="over 1 MiB"):
        body.detach()


def test_no_more_is_read_than_what_is_skipped() -> None:
    body = Body(Held())
    for _ in range(MAX_SKIPPED // len(PIECE)):
        body.add(PIECE)
    with pytest.raises(Problem, match="over 1 MiB"):
        body.add(b"x")


def test_an_oversized_body_is_not_buffered() -> None:
    held = Held()
    body = Body(held)
    for _ in range(20):
        body.add(PIECE)
    assert held.size == 0


def test_where_the_memory_is_used_up_the_body_that_has_been_incomplete_longest_gives_way() -> None:
    held = Held(limit=10 * len(PIECE))
    first, second, third = (Body(held) for _ in range(3))
    for body in (first, second, first, second):
        for _ in range(2):
            body.add(PIECE)
    for _ in range(3):
        third.add(PIECE)
    assert held.size == 7 * len(PIECE)
    for end in (lambda: first.add(b"x"), first.detach):
        with pytest.raises(Problem, match="nothing was accepted") as caught:
            end()
        assert caught.value.status == 503
    first.release()
    assert (second.detach(), third.detach()) == (PIECE * 4, PIECE * 3)
    assert held.size == 0


def test_a_body_that_has_itself_been_incomplete_longest_gives_way_as_it_grows() -> None:
    held = Held(limit=10 * len(PIECE))
    first, second = Body(held), Body(held)
    for body in (first, second):
        for _ in range(5):
            body.add(PIECE)
    with pytest.raises(Problem, match="nothing was accepted"):
        first.add(b"x")
    assert held.size == 5 * len(PIECE)
    assert second.detach() == PIECE * 5


@pytest.mark.parametrize("end", [Body.detach, Body.release])
def test_its_place_is_free_afterwards(end: object) -> None:
    held = Held()
    body = Body(held)
    for _ in range(4):
        body.add(PIECE)
    assert held.size == 4 * len(PIECE)
    end(body)  # type: ignore[operator]
    assert held.size == 0
    body.release()
    assert held.size == 0


def test_a_small_body_is_accepted_where_larger_ones_fill_the_memory() -> None:
    held = Held(limit=0)
    assert collect(b"x" * SMALL, held=held) == b"x" * SMALL
    assert refused(b"x" * (SMALL + 1), held=held) == 503
