"""Writes files that hold secrets."""

import os
from pathlib import Path


def write_private(path: Path, text: str, mode: int = 0o600) -> None:
    """Replace a file by one that its owner alone may read, from the first moment and in one step.

    Raises:
        OSError: it can't be written.
    """
    draft = path.with_name(f"{path.name}.new{os.getpid()}")
    draft.unlink(missing_ok=True)  # of a process that had the same id
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)
