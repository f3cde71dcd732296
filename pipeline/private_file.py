"""Files that hold secrets. Standard library only."""

import os
from pathlib import Path


def write(path: Path, text: str, mode: int = 0o600) -> None:
    """Replace a file in one step: it is never half written, nor readable by others than ``mode`` says.

    Raises:
        OSError: it can't be written.
    """
    draft = path.with_name(f"{path.name}.new{os.getpid()}")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            if hasattr(os, "fchmod"):  # which Windows lacks before Python 3.13
                os.fchmod(descriptor, mode)  # the umask of the process does not matter
            file.write(text)
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
