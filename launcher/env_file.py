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
        UserError: a line is not ``NAME=value``, or the file can't be read.
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
            name, equals, value = text.removeprefix("export ").partition("=")
            if equals and name.strip().isidentifier():
                found[name.strip()] = _plain(value)
            elif strict or "FIZZBUZZ_HOME" in text:
                raise UserError(f"{path}, line {number}: must be NAME=value", USAGE)
    return found


def create(path: Path, given: Mapping[str, str]) -> bool:
    """Write a first file with random secrets, unless there is one; True where it was written.

    Secrets that are ``given`` by the environment are left to it.

    Raises:
        OSError: the file can't be written.
    """
    if os.path.lexists(path):
        return False
    made = "".join(f"{name}={secrets.token_urlsafe(24)}\n" for name in SECRETS if not given.get(name))
    private_file.write(path, _HEAD + made)
    return True


def _plain(value: str) -> str:
    """A value without its quotes, or without the comment behind it."""
    text = value.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        return text[1:-1]
    return text.partition(" #")[0].rstrip()
