"""Compresses events for streams whose clients take gzip (RFC 1952): each event once, for all of them.

A gzip file is a header and then blocks, and a block is the same wherever it stands, as long as what it
refers back to precedes it. So all streams can be sent the same blocks: one that refers to nothing, or, for
the streams whose last bytes are the event before, one that refers to that event. From one second to the next
most of an event stays as it was.

The checksum at the end of a file is left out: a stream has no end but that of the connection.
"""

import zlib

GZIP = "gzip"
HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
"""What a compressed stream begins with: deflate, and neither a name nor a time."""

LEVEL = 6
STORED = 0
"""The level that keeps the size."""


def block(data: bytes, after: bytes = b"", *, level: int = LEVEL) -> bytes:
    """``data`` as blocks that end at a whole byte, so that a client can show all of it at once.

    Args:
        after: the data at the end of what the client has been sent before; empty: it may be anything.
    """
    dictionary = (after,) if after else ()
    deflate = zlib.compressobj(
        level, zlib.DEFLATED, -zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, zlib.Z_DEFAULT_STRATEGY, *dictionary
    )
    return deflate.compress(data) + deflate.flush(zlib.Z_SYNC_FLUSH)
