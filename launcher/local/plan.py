"""Which processes one system has, as a value that can be written down, read back and compared."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from launcher.problem import Problem


class DamagedPlan(Problem):
    """The file with the plan can't be understood."""


@dataclass(frozen=True, slots=True)
class Part:
    """One process: how to start it, and how to tell that it can do its work."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    ready: str = ""
    """An HTTP address that answers 200, or a Redis that answers PING; empty: the part writes its address."""


@dataclass(frozen=True, slots=True)
class Plan:
    """All parts, in the order in which they start; they stop in the other order."""

    supervisor: Part
    """Starts the others, and is started by the launcher or the guard."""
    parts: tuple[Part, ...]
    ports: tuple[int, ...]
    """The TCP ports on which the parts listen."""

    def find(self, name: str) -> Part | None:
        """The part of that name, Supervisor among them."""
        return next((part for part in (self.supervisor, *self.parts) if part.name == name), None)

    def only(self, *names: str) -> "Plan":
        """The same plan with just these parts."""
        return replace(self, parts=tuple(part for part in self.parts if part.name in names))

    def replaced(self, part: Part) -> "Plan":
        """The same plan with ``part`` in the place of the one of its name."""
        return replace(self, parts=tuple(part if one.name == part.name else one for one in self.parts))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(part.name for part in self.parts)


def write(path: Path, plan: Plan) -> None:
    """Keep the plan for its owner alone: it holds secrets. Raises OSError."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(asdict(plan), file, indent=1)
    fresh.replace(path)


def read(path: Path) -> Plan | None:
    """The plan that was kept, None where there is none.

    Raises:
        DamagedPlan: the file is there, but it is cut off or not a plan.
    """
    try:
        found = json.loads(path.read_bytes())
        parts = tuple(_part(part) for part in found["parts"])
        return Plan(_part(found["supervisor"]), parts, tuple(found["ports"]))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedPlan(
            f"{path} is damaged: ./start.sh down stops the system, then start it again"
        ) from error


def _part(found: Mapping[str, Any]) -> Part:
    return Part(found["name"], tuple(found["argv"]), found["env"], found["ready"])
