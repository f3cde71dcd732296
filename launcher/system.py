"""A whole system, whichever way it runs: what the commands need of it."""

from collections.abc import Iterator
from typing import Protocol

from launcher.log_line import LogLine
from launcher.status import PartStatus


class System(Protocol):
    """Everything raises Problem, with one line for the person at the keyboard, or OSError."""

    def up(self) -> None:
        """Set up what is missing, start every part, return when a message is stored and shown.

        A start that fails leaves nothing running; a system that runs already is left running.
        """

    def down(self, *, wipe: bool) -> None:
        """Stop every part within about 10 s; with ``wipe``, delete this system's data and nothing else."""

    def status(self) -> list[PartStatus]:
        """How every part is now."""

    def logs(self, part: str | None, *, follow: bool) -> Iterator[LogLine]:
        """The log lines of one part, or of all, in the order of time; ``worker`` means every worker."""

    def addresses(self) -> dict[str, str]:
        """What people want to know, by name: page, API, queue, database."""

    def environment(self) -> dict[str, str]:
        """The settings by which a program on this machine reaches the running system."""
