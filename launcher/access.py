"""Who may get in, checked before anything starts: tokens, addresses, and who may write the home."""

import ipaddress
import os
import stat
from pathlib import Path

from launcher.configuration import Configuration
from launcher.errors import USAGE, UserError
from pipeline import tokens
from pipeline.tokens import InvalidTokens

_SETTING = "FIZZBUZZ_API_TOKEN"
_FILE = f"{_SETTING}_FILE"
_CODE = ("", "run", "data", "logs", "venv")
"""What is started, or says what is started, lies in these folders of a home."""


def check(configuration: Configuration) -> None:
    """Raise UserError where a token is too short, or the API open to the network."""
    given = configuration.given
    secret = configuration.settings.api_token
    try:
        tokens.parse(secret)
    except InvalidTokens as error:
        name = f"{_FILE}={given[_FILE]}" if given.get(_FILE) else _SETTING
        raise UserError(f"{name}: {error}", USAGE) from None
    bind = configuration.settings.bind
    if not (secret or is_loopback(bind) or given.get("FIZZBUZZ_OPEN") == "1"):
        raise UserError(
            f"FIZZBUZZ_BIND={bind}: everybody who reaches that address could send messages:"
            f" set {_SETTING}, or FIZZBUZZ_OPEN=1 to allow it",
            USAGE,
        )


def check_home(configuration: Configuration) -> None:
    """Raise UserError where others may write the home, or replace it: its files are code that is run."""
    if os.name != "posix":
        return
    home = configuration.home.path
    for folder in (home / name for name in _CODE):
        if folder.is_dir() and (folder.stat().st_mode & 0o022 or _is_foreign(folder)):
            raise UserError(_text(folder))
    for parent in home.resolve().parents:
        if parent.is_dir():
            mode = parent.stat().st_mode
            if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
                raise UserError(_text(parent))


def is_loopback(bind: str) -> bool:
    """Whether only this machine can reach the address."""
    try:
        return ipaddress.ip_address(bind.strip("[]")).is_loopback
    except ValueError:
        return bind.lower() == "localhost"


def _is_foreign(folder: Path) -> bool:
    """Whether it belongs to somebody else; root has to do with everybody's folders."""
    return os.getuid() != 0 and folder.stat().st_uid not in (0, os.getuid())


def _text(folder: Path) -> str:
    return (
        f"{folder}: others may write there, and what lies in it is run: take that from them"
        f" (chmod go-w '{folder}'), or set FIZZBUZZ_HOME to a place of your own"
    )
