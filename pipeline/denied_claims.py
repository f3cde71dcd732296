"""How the consumer names the claims for which it refused a call, in the call's trailing metadata."""

from collections.abc import Iterable

import msgspec

KEY = "fizzbuzz-denied-bin"

MAX_SIZE = 4_096
"""Bytes: gRPC allows 8 KiB of metadata in all, and may send these as Base64."""

Claim = tuple[str, str]
"""A run, and the owner that a sender claims it for."""

_claims = msgspec.json.Decoder(list[Claim])


def encode(claims: Iterable[Claim]) -> bytes:
    """As many of them as there is room for, those of a run together."""
    size, named = len("[]"), []
    for claim in sorted(claims):
        size += len(msgspec.json.encode(claim)) + len(",")
        if size > MAX_SIZE:
            break
        named.append(claim)
    return msgspec.json.encode(named)


def decode(metadata: Iterable[tuple[str, str | bytes]]) -> frozenset[Claim]:
    """The claims that are named in it; none where a consumer of another version does not name them so."""
    named = next((value for key, value in metadata if key == KEY), b"[]")
    try:
        return frozenset(_claims.decode(named))
    except msgspec.DecodeError:
        return frozenset()
