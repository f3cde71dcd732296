"""Whether a file can be written, known before there is anything to write."""

import os
from pathlib import Path


def obstacle(path: Path) -> str:
    """Why no file can be written at ``path``, as far as can be known; empty where it can."""
    folder = path.absolute().parent
    try:
        if not folder.is_dir():
            return f"there is no folder {folder}"
        if path.is_dir():
            return "it is a folder"
        is_allowed = os.access(path if path.exists() else folder, os.W_OK)
    except OSError as error:
        return error.strerror or str(error)
    return "" if is_allowed else "no permission to write it"
