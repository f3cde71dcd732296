"""A whole system, whichever way it runs: what the commands need of it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from launcher.log_line import LogLine
from launcher.saved_state import SavedState
from launcher.status import ServiceStatus


class System(Protocol):
    """Everything raises UserError, with one line for the user, or OSError."""

    runs_notebook: bool
    """Whether the notebook can pause its workers."""

    def is_running(self) -> bool:
        """Whether any of its processes lives. Needs no package."""

    def prepare(self, saved: SavedState | None) -> None:
        """Check settings, ports, servers and disk. Changes nothing of a system that runs.

        Args:
            saved: the system that runs, whose ports are ours; None where none does.
        """

    def start(self) -> None:
        """Start every service; return when a message is stored and shown. A failed start leaves nothing."""

    def stop(self) -> int | None:
        """Stop every service within 10 s; how many jobs wait for the next start, None where nothing ran."""

    def wipe(self) -> Iterable[str]:
        """Delete the data of this system, which is stopped, and nothing else; says what was done."""

    def status(self) -> list[ServiceStatus]:
        """How every service is now."""

    def logs(self, service: str | None, *, follow: bool) -> Iterator[LogLine]:
        """The log lines of one service, or of all, in the order of time; ``worker`` means every worker."""

    def addresses(self) -> Mapping[str, str]:
        """Where everything is, by name: page, API, queue, database."""

    def environment(self) -> Mapping[str, str]:
        """The settings by which a program on this machine reaches the running system."""

    def in_worker_container(self, words: Sequence[str]) -> tuple[list[str], Mapping[str, str]] | None:
        """How to run ``words`` in a worker's container: a command line and its environment.

        None where workers are processes of this machine, and ``environment`` is all that is needed.
        """
