"""How many streams one process holds."""

import resource

MAX_STREAMS = 10_000
"""Streams at once; measured with this many, the slowest one has a snapshot 0.8 s after it was made."""

SPARE_FILES = 200
"""Open files reserved for everything but streams: page, metrics, database and queue."""


def max_streams() -> int:
    """Streams that this process can hold at once; each is an open file."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return MAX_STREAMS
    return max(1, min(MAX_STREAMS, files - SPARE_FILES))


def raise_file_limit() -> None:
    """Raise this process's limit of open files to its hard limit: each stream is one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
