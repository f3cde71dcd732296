"""How many streams one process holds."""

from pipeline.file_limit import raise_file_limit

MAX_STREAMS = 10_000
"""Streams at once; with this many, one event in a hundred arrives 0.16 s or more after its reading began."""

SPARE_FILES = 200
"""Open files reserved for everything but streams: page, metrics, database and queue."""


def max_streams() -> int:
    """Streams that this process can hold at once; it may open files for them all from now on."""
    return max(1, raise_file_limit(MAX_STREAMS + SPARE_FILES) - SPARE_FILES)
