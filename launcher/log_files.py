"""The logs of many services as one, in the order of time, also while they are being written and rotated."""

import heapq
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO

from launcher.log_line import LogLine, Parser

POLL_S = 0.25
_TAIL_BYTES = 16_384


def read(
    folder: Path,
    *,
    wanted: Callable[[str], bool],
    follow: Callable[[], bool] = lambda: False,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[LogLine]:
    """Lines of the services that are ``wanted``; as long as ``follow()``, what is written later too."""
    tails: dict[str, _Tail] = {}
    more = True
    while more:
        more = follow()  # asked first, so that what was written last is read
        for name in names(folder):
            if name not in tails and wanted(name):
                tails[name] = _Tail(folder / f"{name}.log", name)
        yield from heapq.merge(*(tail.fresh() for tail in tails.values()), key=lambda line: line.time_s)
        if more:
            sleep(POLL_S)


def last_message(folder: Path, name: str) -> str:
    """The text of a service's last log line that is no mere progress: why it failed."""
    path = folder / f"{name}.log"
    try:
        with path.open("rb") as file:
            file.seek(max(path.stat().st_size - _TAIL_BYTES, 0))
            tail = file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return "no log output"
    parser = Parser(name, 0.0)
    lines = [parser.parse(line) for line in tail.splitlines() if line.strip()]
    bad = [line for line in lines if line.level not in ("debug", "info")]
    return (bad or lines)[-1].message.strip() if lines else "no log output"


def names(folder: Path) -> list[str]:
    """The services that have a log."""
    return sorted(path.name.removesuffix(".log") for path in folder.glob("*.log"))


class _Tail:
    """The log of one service: all of it at the first call, later what was added."""

    def __init__(self, path: Path, name: str) -> None:
        self._path = path
        self._inode = 0
        self._offset = 0
        self._rest = b""
        self._parser = Parser(name, path.stat().st_mtime)

    def fresh(self) -> Iterator[LogLine]:
        """What was written since the last call, the end of a file that was rotated away first."""
        with ExitStack() as stack:
            files = self._opened(stack)
            inodes = list(files)
            for inode in inodes[inodes.index(self._inode) if self._inode in files else 0 :]:
                if inode != self._inode:
                    self._inode, self._offset = inode, 0
                files[inode].seek(self._offset)
                for piece in files[inode]:
                    self._offset += len(piece)
                    self._rest += piece
                    if self._rest.endswith(b"\n"):  # a line may continue in the next file
                        text, self._rest = self._rest.decode("utf-8", "replace").rstrip("\r\n"), b""
                        if text.strip():
                            yield self._parser.parse(text)

    def _opened(self, stack: ExitStack) -> dict[int, IO[bytes]]:
        """The files by inode, oldest first; one that is renamed meanwhile is found twice, none is missed."""
        rotated = {
            int(path.suffix[1:]): path
            for path in self._path.parent.glob(f"{self._path.name}.*")
            if path.suffix[1:].isdigit()
        }
        found: dict[int, IO[bytes]] = {}
        for path in (self._path, *(rotated[number] for number in sorted(rotated))):
            with suppress(FileNotFoundError):
                file = stack.enter_context(path.open("rb"))
                found.setdefault(os.fstat(file.fileno()).st_ino, file)
        return dict(reversed(found.items()))
