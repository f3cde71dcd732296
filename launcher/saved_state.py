"""How a system was last started: mode, settings, code. Commands other than restart use it."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from launcher.layout import Layout, make_folder
from pipeline import private_file

_CODE = ("consumer", "deploy", "gateway", "launcher", "pipeline", "producer", "proto", "web", "worker")
"""The folders that a running system is made of."""


@dataclass(frozen=True, slots=True)
class SavedState:
    """One start."""

    mode: str
    running: bool
    """Whether it was not stopped by ``down`` since; whether its processes still run is not known here."""
    settings: Mapping[str, str] = field(repr=False)
    """As they were set then."""
    code: str
    """A digest of the code."""
    packages: str
    """A digest of ``requirements/run.txt``."""


def load(home: Layout) -> SavedState | None:
    """The last start; None where there was none, or the file is damaged."""
    try:
        return SavedState(**json.loads(home.state.read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def save(home: Layout, state: SavedState) -> None:
    """Keep it for its owner alone: it holds secrets. Raises OSError."""
    make_folder(home.path)
    private_file.write(home.state, json.dumps(asdict(state), indent=1))


def mark_stopped(home: Layout) -> None:
    """The system was stopped; its mode is kept for the next start. Raises OSError."""
    state = load(home)
    if state:
        save(home, replace(state, running=False))


def code_digest(checkout: Path) -> str:
    """A digest of all code that a running system is made of."""
    digest = hashlib.sha256()
    for path in sorted(_sources(checkout)):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(checkout).as_posix()} {content}\n".encode())
    return digest.hexdigest()


def packages_digest(checkout: Path) -> str:
    """A digest of the lock file."""
    return hashlib.sha256((checkout / "requirements" / "run.txt").read_bytes()).hexdigest()


def _sources(checkout: Path) -> Iterator[Path]:
    for folder in _CODE:
        for path in (checkout / folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts and "_pb2" not in path.name:
                yield path
