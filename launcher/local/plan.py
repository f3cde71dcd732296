"""Which processes one system has, as a value that is written at the start and read by its processes."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from launcher.errors import UserError
from pipeline import private_file

NAME = "plan.json"


@dataclass(frozen=True, slots=True)
class ProcessPlan:
    """One process: how to start and stop it, and how to check that it can do its work."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    ready: str = field(default="", repr=False)
    """An HTTP address that answers 200, or a Redis that answers PING (its URL has a password); empty: it
    writes its address."""
    waits_for: str = ""
    """A file that must exist before it starts."""
    stop_signal: str = "TERM"
    note: str = ""
    """Which program it is, where that depends on the machine."""


@dataclass(frozen=True, slots=True)
class Plan:
    """All processes but Supervisor and its watchdog, in the order in which they start."""

    python: str
    processes: tuple[ProcessPlan, ...]
    ports: tuple[int, ...]
    """The TCP ports on which they listen."""

    def find(self, name: str) -> ProcessPlan | None:
        """The process of that name."""
        return next((one for one in self.processes if one.name == name), None)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(one.name for one in self.processes)

    @property
    def redis_url(self) -> str:
        """Where the queue is, and how the launcher connects; empty where that is not known."""
        redis, consumer = self.find("redis"), self.find("consumer")
        if redis or consumer is None:
            return redis.ready if redis else ""
        if file := consumer.env.get("REDIS_URL_FILE"):
            with suppress(OSError):  # it was moved since
                return Path(file).read_text(encoding="utf-8").strip()
        return consumer.env.get("REDIS_URL", "")


def write(run: Path, plan: Plan) -> None:
    """Keep the plan for its owner alone: it holds secrets. Raises OSError."""
    private_file.write(run / NAME, json.dumps(asdict(plan), indent=1))


def find(run: Path) -> Plan | None:
    """The plan of the processes that run; None where it is missing or damaged: their locks will do."""
    try:
        return read(run)
    except UserError:
        return None


def read(run: Path) -> Plan | None:
    """The plan that was kept, None where there is none.

    Raises:
        UserError: the file is damaged.
    """
    path = run / NAME
    try:
        found: dict[str, Any] = json.loads(path.read_bytes())
        processes = tuple(ProcessPlan(**{**one, "argv": tuple(one["argv"])}) for one in found["processes"])
        return Plan(found["python"], processes, tuple(found["ports"]))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{path} is damaged: ./start.sh down, then ./start.sh up") from None
