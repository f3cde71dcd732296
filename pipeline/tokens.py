"""The tokens of the HTTP API. Standard library only, like ``pipeline.settings``.

One token, or several as ``name:token``, one per line. A name may have more than one token, so that a new
one can be issued before the old one is revoked.
"""

import logging
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.file_state import FileState, file_state

MIN_LENGTH = 16
"""Characters; shorter tokens can be guessed."""

CHECK_S = 1.0
"""Minimum time between two checks of a file."""

_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_SECRET = re.compile(r"[!-~]+", re.ASCII)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Token:
    """A token and its holder's name; ``""`` if it has none."""

    name: str
    secret: str = field(repr=False)


class InvalidTokens(ValueError):
    """The text is invalid. The error does not contain any token."""


def parse(text: str) -> tuple[Token, ...]:
    """The tokens in ``text``; none if it is empty.

    Raises:
        InvalidTokens: a token is too short, or has a character that a header can't contain.
    """
    lines = [line.strip() for line in text.splitlines()]
    return tuple(_parse(line, number) for number, line in enumerate(lines, 1) if line)


def render(tokens: Iterable[Token]) -> str:
    """The text that ``parse`` reads as ``tokens``."""
    return "".join(
        f"{token.name}:{token.secret}\n" if token.name else f"{token.secret}\n" for token in tokens
    )


class TokenSource:
    """The current tokens: fixed ones, or those of a file that may change. Thread-safe."""

    def __init__(
        self,
        tokens: tuple[Token, ...],
        file: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tokens = tokens
        self._file = file
        self._clock = clock
        # The file is read at once: `tokens` may have been read long ago, before this process was forked.
        self._checked_s = float("-inf")
        self._state: FileState | None = None
        self._reported: tuple[FileState | None] | None = None  # of the file as it could not be read

    @property
    def current(self) -> tuple[Token, ...]:
        """The tokens. If the file is missing or invalid, the previous ones stay: access never opens."""
        if self._file and self._clock() - self._checked_s >= CHECK_S:
            self._checked_s = self._clock()
            self._read_if_changed(self._file)
        return self._tokens

    @property
    def first(self) -> str:
        """The token that a sender uses; empty if there is none."""
        tokens = self.current
        return tokens[0].secret if tokens else ""

    def _read_if_changed(self, file: Path) -> None:
        state = file_state(file)
        if state == self._state:
            return
        try:
            tokens = read(file)
        except (OSError, InvalidTokens) as error:  # tried again: rights may change and the state stay
            if self._reported != (state,):
                log.error("the tokens are unchanged: %s: %s", file.name, error)
            self._reported = (state,)
            return
        self._state, self._reported = state, None
        if tokens != self._tokens:
            self._tokens = tokens
            log.info("the tokens were reloaded", extra={"tokens": len(tokens)})


def read(file: Path) -> tuple[Token, ...]:
    """The tokens in ``file``; at least one. Raises InvalidTokens, OSError."""
    try:
        tokens = parse(file.read_text())
    except UnicodeDecodeError:
        raise InvalidTokens("it is not text") from None
    if not tokens:
        raise InvalidTokens("it is empty")
    return tokens


def _parse(line: str, number: int) -> Token:
    name, colon, secret = line.partition(":") if ":" in line else ("", "", line)
    if colon and not _NAME.fullmatch(name):
        raise InvalidTokens(f"line {number}: the name must be 1 to 64 of A-Z a-z 0-9 . _ -")
    if not _SECRET.fullmatch(secret):
        raise InvalidTokens(f"line {number}: a token may have printable ASCII characters only")
    if len(secret) < MIN_LENGTH:
        raise InvalidTokens(f"line {number}: a token must have at least {MIN_LENGTH} characters")
    return Token(name, secret)
