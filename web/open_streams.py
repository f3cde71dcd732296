"""How many streams are open, over all processes of the service, and how many a process holds."""

import logging
import mmap

from pipeline.file_limit import raise_file_limit

MAX_STREAMS = 10_000
"""Streams at once, for each process of the service; with this many in one process, one event in a hundred
arrives 0.16 s or more after its reading began."""

SPARE_FILES = 200
"""Open files reserved for everything but streams: page, metrics, database and queue."""

_COUNT_BYTES = 8

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


class OpenStreams:
    """A count for each process, in memory that processes share which are forked later.

    Args:
        processes: that serve streams.
        max_streams: how many may be open at once, over all of them.
    """

    def __init__(self, processes: int = 1, max_streams: int | None = None) -> None:
        self._counts = memoryview(mmap.mmap(-1, processes * _COUNT_BYTES)).cast("Q")
        self._max_streams = processes * MAX_STREAMS if max_streams is None else max_streams
        self.process = 0
        """Which of the counts is this process's."""

    @property
    def here(self) -> int:
        """Streams of this process."""
        return self._counts[self.process]

    @property
    def full(self) -> bool:
        """Whether no further stream may be opened."""
        return sum(self._counts) >= self._max_streams

    def opened(self) -> None:
        """Count a stream of this process."""
        self._counts[self.process] += 1

    def closed(self) -> None:
        """A stream of this process has ended."""
        self._counts[self.process] -= 1

    def begin(self, process: int) -> None:
        """Let this process, and those that it forks, be the one of that number; it has no streams yet."""
        self.process = process
        self._counts[process] = 0
