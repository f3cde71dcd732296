"""What the kernel says of a process and its children (Linux)."""

from pathlib import Path


def children_of(pid: int) -> list[int]:
    """The processes that the main thread of process ``pid`` has started and that live, oldest first."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
