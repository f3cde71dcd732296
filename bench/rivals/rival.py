"""What the benchmark needs to know of a rival."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from redis import Redis

from pipeline.message import Arrival

Command = Sequence[str]
"""A module and its arguments, for ``python -m``."""


@dataclass(frozen=True, slots=True)
class Rival:
    """One queue, set up as its documentation recommends for reliability."""

    name: str
    packages: tuple[str, ...]
    """Whose versions are shown."""
    docs: tuple[str, ...]
    """The pages that its settings come from."""
    settings: str
    """Its settings, human-readable."""
    workers: Mapping[str, Sequence[Command]]
    """Ways to run its worker, by name; the one that stores most is measured."""
    enqueue: Callable[[Arrival], Any]
    """Returns once the queue has the message; a coroutine function where the client is asynchronous."""
    waiting: Callable[["Redis"], int]
    """Messages that the queue still holds, those held by a worker included."""
    recovery_s: float
    """After this long without a heartbeat of a killed worker it redelivers the messages; 0: never."""
    is_async: bool = False
