"""A refused call says which claims are denied, in as many bytes as its metadata may have."""

import pytest

from pipeline.denied_claims import KEY, MAX_SIZE, decode, encode


def test_what_is_named_is_read() -> None:
    claims = {("run-1", ""), ("run-1", "t:é"), ("run-2", "k:0")}
    assert decode([("other", "x"), (KEY, encode(claims))]) == claims


def test_as_many_are_named_as_there_is_room_for() -> None:
    claims = {(f"{number:064}", "x" * 64) for number in range(1_000)}
    encoded = encode(claims)
    assert MAX_SIZE - 200 < len(encoded) <= MAX_SIZE
    assert decode([(KEY, encoded)]) == set(sorted(claims)[: len(decode([(KEY, encoded)]))])


@pytest.mark.parametrize("metadata", [[], [("other", "x")], [(KEY, b"")], [(KEY, b"{}")], [(KEY, b"[[1]]")]])
def test_a_consumer_of_another_version_names_none(metadata: list[tuple[str, str | bytes]]) -> None:
    assert decode(metadata) == set()
