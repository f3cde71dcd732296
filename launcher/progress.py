"""Shows how far something is: a bar on a terminal, now and then a line elsewhere."""

import shutil
from types import TracebackType
from typing import TextIO

WIDTH = 24
LINES = 4
"""How many lines the whole of it takes where there is no terminal."""


class Progress:
    """Use it in a ``with``; the last line is finished when that ends."""

    def __init__(self, what: str, total: int, out: TextIO) -> None:
        self._what = what
        self._total = max(total, 1)
        self._done = 0
        self._out = out
        self._live = out.isatty()
        self._told = 0

    def __enter__(self) -> "Progress":
        self._show("")
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: BaseException | TracebackType | None) -> None:
        if kind is None:
            self._done = self._total
            self._show("done")
        if self._live:
            print(file=self._out, flush=True)

    def step(self, name: str) -> None:
        """One more is under way: ``name``."""
        self._done = min(self._done + 1, self._total - 1)
        self._show(name)

    def _show(self, name: str) -> None:
        if self._live:
            filled = WIDTH * self._done // self._total
            bar = "█" * filled + "░" * (WIDTH - filled)
            width = shutil.get_terminal_size().columns - 1
            line = f"{self._what} {bar} {self._done}/{self._total} {name}"[:width]
            print(f"\r\x1b[K{line}", end="", file=self._out, flush=True)
        elif self._done * LINES >= self._told * self._total:
            print(f"{self._what}: {self._done} of {self._total}", file=self._out, flush=True)
            self._told = self._done * LINES // self._total + 1
