"""Access, checked before anything starts: tokens, addresses, and who may write the home."""

import os
import stat
from pathlib import Path

from launcher.configuration import Configuration
from launcher.errors import USAGE, UserError
from pipeline.declaration import SettingsError
from pipeline.settings import require_guard

_CODE = ("", "run", "data", "logs", "venv")
"""These folders of a home contain what is executed, or what determines that."""


def check(configuration: Configuration) -> None:
    """Raise UserError where the API would be open to the network without a token."""
    try:
        require_guard(configuration.settings)
    except SettingsError as error:
        raise UserError(str(error), USAGE) from None


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


def _is_foreign(folder: Path) -> bool:
    """Whether it belongs to somebody else; root may use everybody's folders."""
    return os.getuid() != 0 and folder.stat().st_uid not in (0, os.getuid())


def _text(folder: Path) -> str:
    return (
        f"{folder}: others may write there, and programs in it are run: remove that permission"
        f" (chmod go-w '{folder}'), or set FIZZBUZZ_HOME to a place of your own"
    )
