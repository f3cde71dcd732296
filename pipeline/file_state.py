"""Whether a file was changed. Standard library only."""

from pathlib import Path

FileState = tuple[int, int, int]


def file_state(file: Path) -> FileState | None:
    """Changes whenever the file does; None where it can't be found."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
