"""The logs of many services as one, in the order of time, also while they are being written and rotated."""

import heapq
import os
import re
import time
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import IO

from launcher.log_line import LogLine, Parser

LOOK_S = 0.25
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
    try:
        _find(folder, wanted, tails)
        yield from _merge([tail.history() for tail in tails.values()])
        more = follow()
        while more:
            sleep(LOOK_S)
            more = follow()  # asked first, so that what was written last is read
            _find(folder, wanted, tails)
            yield from _merge([tail.fresh() for tail in tails.values()])
    finally:
        for tail in tails.values():
            tail.close()


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


def _find(folder: Path, wanted: Callable[[str], bool], tails: dict[str, "_Tail"]) -> None:
    for name in names(folder):
        if name not in tails and wanted(name):
            tails[name] = _Tail(folder / f"{name}.log", name)


def _merge(sources: list[Iterator[LogLine]]) -> Iterator[LogLine]:
    return heapq.merge(*sources, key=lambda line: line.time_s)


class _Tail:
    """The log of one service: its old files once, then what is added."""

    def __init__(self, path: Path, name: str) -> None:
        self._path = path
        self._file: IO[bytes] | None = None
        self._rest = b""
        self._parser = Parser(name, path.stat().st_mtime)

    def history(self) -> Iterator[LogLine]:
        for path in self._rotated():
            with path.open("rb") as file:
                yield from self._lines(file)
        yield from self.fresh()

    def fresh(self) -> Iterator[LogLine]:
        """What was written since the last look, the end of a file that was rotated away first."""
        if self._file:
            yield from self._lines(self._file)
        if self._is_new():
            self._open()
        if self._file:
            yield from self._lines(self._file)

    def close(self) -> None:
        if self._file:
            self._file.close()

    def _rotated(self) -> list[Path]:
        """The older files, oldest first."""
        found = [
            (int(match[1]), path)
            for path in self._path.parent.glob(f"{self._path.name}.*")
            if (match := re.search(r"\.(\d+)$", path.name))
        ]
        return [path for _, path in sorted(found, reverse=True)]

    def _is_new(self) -> bool:
        try:
            there = self._path.stat()
        except FileNotFoundError:
            return False
        return self._file is None or there.st_ino != os.fstat(self._file.fileno()).st_ino

    def _open(self) -> None:
        if self._file:
            self._file.close()
        try:
            self._file = self._path.open("rb")
        except FileNotFoundError:  # between two names
            self._file = None

    def _lines(self, file: IO[bytes]) -> Iterator[LogLine]:
        for piece in chain(file):
            whole = self._rest + piece
            if not whole.endswith(b"\n"):
                self._rest = whole
                return
            self._rest = b""
            text = whole.decode("utf-8", "replace").rstrip("\r\n")
            if text.strip():
                yield self._parser.parse(text)
