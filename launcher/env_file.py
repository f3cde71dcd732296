"""The file ``.env``: settings and secrets of one system, readable by its owner alone."""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from launcher.errors import USAGE, UserError
from pipeline import private_file

_HEAD = """\
# Settings and secrets of this system; .env.example explains every one of them.
# Made at the first start. Never commit it.
"""
SECRETS = ("INFLUXDB_PASSWORD",)
"""What the first start makes at random."""


def read(path: Path, *, strict: bool = True) -> dict[str, str]:
    """The settings in the file at ``path``; none where there is no file.

    Args:
        strict: otherwise lines that are not ``NAME=value`` are left out, unless they are about the home.

    Raises:
        UserError: a line is not ``NAME=value``, a quote is left open, or the file can't be read.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UserError(f"{path} can't be read: {reason}", USAGE) from error
    found: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if text and not text.startswith("#"):
            try:
                name, value = _setting(text)
                found[name] = value
            except ValueError as error:
                if strict or "FIZZBUZZ_HOME" in text:
                    raise UserError(f"{path}, line {number}: {error}", USAGE) from None
    return found


def create(path: Path, given: Mapping[str, str]) -> bool:
    """Write a first file with random secrets, unless there is one; True where it was written.

    Secrets that are ``given`` by the environment are left to it.

    Raises:
        OSError: the file can't be written.
    """
    if os.path.lexists(path):
        return False
    private_file.write(path, _HEAD + _made(given))
    return True


def add_secrets(path: Path, given: Mapping[str, str]) -> bool:
    """Append random secrets that are not ``given`` to a file that the user made; True where there were any.

    It is written in place, since it may be a link, and is its owner's alone from then on.

    Raises:
        OSError: the file can't be written.
    """
    made = _made(given)
    if not made:
        return False
    path.chmod(0o600)
    with path.open("r+b") as file:
        content = file.read()
        file.write(b"" if not content or content.endswith(b"\n") else b"\n")
        file.write(made.encode())
    return True


def _made(given: Mapping[str, str]) -> str:
    """A line for each secret that neither a setting nor a file of it gives."""
    missing = (name for name in SECRETS if not (given.get(name) or given.get(f"{name}_FILE")))
    return "".join(f"{name}={secrets.token_urlsafe(24)}\n" for name in missing)


def _setting(line: str) -> tuple[str, str]:
    """Name and value. Raises ValueError, whose text says what the line must be."""
    name, equals, value = line.removeprefix("export ").partition("=")
    if not equals or not name.strip().isidentifier():
        raise ValueError("must be NAME=value")
    return name.strip(), _plain(value)


def _plain(value: str) -> str:
    """A value without its quotes, and without the comment behind it, as Docker compose reads it."""
    text = value.strip()
    if not text.startswith(("'", '"')):
        return value.partition(" #")[0].strip()
    inside, closing, after = text[1:].partition(text[0])
    if not closing:
        raise ValueError(f"the quote {text[0]} is not closed")
    if after.strip() and not after.lstrip().startswith("#"):
        raise ValueError(f"after the closing quote {text[0]} there may only be a comment")
    return inside
