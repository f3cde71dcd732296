"""How many streams a process holds."""

import logging

from pipeline.file_limit import raise_file_limit

MAX_STREAMS = 10_000
"""Streams at once, for each process of the service; with this many in one process, one event in a hundred
arrives 0.16 s or more after its reading began."""

SPARE_FILES = 200
"""Open files reserved for everything but streams: page, metrics, database and queue."""


log = logging.getLogger(__name__)


def max_streams(processes: int = 1) -> int:
    """Streams that this process can hold at once, one of so many; it may open files for them from now on.

    That is more than its share where the limit allows it: connections are not spread evenly.
    """
    files = raise_file_limit(processes * MAX_STREAMS + SPARE_FILES)
    streams = max(1, files - SPARE_FILES)
    if streams < MAX_STREAMS:
        log.warning("holds %d streams, not %d: it may open %d files at most", streams, MAX_STREAMS, files)
    return streams
