"""A whole system, whichever way it runs: what the commands need of it, and which one is meant."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from launcher import configuration, mode, saved_state
from launcher.configuration import Configuration
from launcher.errors import UserError
from launcher.layout import Layout
from launcher.log_line import LogLine
from launcher.saved_state import SavedState
from launcher.status import ServiceStatus


class System(Protocol):
    """Everything raises UserError, with one line for the user, or OSError."""

    mode: str
    runs_notebook: bool
    """Whether the notebook can pause its workers."""

    def is_running(self) -> bool:
        """Whether any of its processes runs. Needs no package."""

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
        """Delete the data of this system, which is stopped, and nothing else; prints what was done."""

    def partly_stopped(self) -> str:
        """Why it runs and not all of it does, as after a command that was killed; empty where all does."""

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


def find_running(home: Layout, asked: str | None = None) -> System | None:
    """The system of this home whose processes run, with the settings that it was started with.

    Where another mode is ``asked`` for, an engine or a cluster that is unavailable does not matter.
    """
    saved = saved_state.load(home)
    modes = [saved.mode] if saved else [mode.LOCAL, *elsewhere(home)]
    if saved and saved.mode != mode.LOCAL and not saved.running:
        return None
    for name in modes:
        if name == mode.LOCAL and mode.default() != mode.LOCAL:
            continue
        system = open_system(name, last_configuration(home))
        try:
            if system.is_running():
                return system
        except UserError as error:
            if asked in (None, name):
                forgotten = name == mode.DOCKER and not saved  # a cluster's error names its mark itself
                hint = f" ({home.docker_env}: it may hold something of this system)" if forgotten else ""
                raise UserError(f"{error}{hint}", error.status) from None
    return None


def elsewhere(home: Layout) -> list[str]:
    """The modes in which an engine or a cluster may hold something of this home."""
    return [name for name, path in marks(home).items() if path.exists()]


def marks(home: Layout) -> Mapping[str, Path]:
    """What exists as long as the engine or the cluster of a mode may hold something, by mode."""
    return {mode.DOCKER: home.docker_env, mode.KUBERNETES: home.kubernetes}


def last_configuration(home: Layout) -> Configuration:
    """The settings of the last start; the defaults where there was none, or this version refuses them."""
    saved = saved_state.load(home)
    given: Mapping[str, str] = saved.settings if saved else {}
    return configuration.parse_saved(given, home, configuration.env_file_of())


def open_system(name: str, wanted: Configuration) -> System:
    """The system in this mode. Each one is imported when it is asked for: ``local`` needs a Unix."""
    if name == mode.DOCKER:
        from launcher.compose.system import DockerSystem

        return DockerSystem(wanted)
    if name == mode.KUBERNETES:
        from launcher.kubernetes.system import KubernetesSystem

        return KubernetesSystem(wanted)
    from launcher.local.system import LocalSystem

    return LocalSystem(wanted)


def makes_first_influxdb(name: str, wanted: Configuration) -> bool:
    """Whether a start in this mode makes an InfluxDB of its own; one that was made has its password."""
    if name != mode.LOCAL:
        return not marks(wanted.home)[name].exists()
    from launcher.local import influx_server  # local mode's

    return influx_server.is_own(wanted) and not (wanted.home.data / influx_server.NAME).exists()
