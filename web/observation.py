"""What the service knows at one moment, from which conditions are found."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from web.ledger import Discrepancy
from web.services import Service


@dataclass(frozen=True, slots=True)
class LostNumbers:
    """Messages of one run that were accepted and can't be found."""

    run: str
    count: int
    numbers: tuple[int, ...]
    """The first ones that are known."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What is known at one moment."""

    at_ns: int
    began_ns: int
    """When this process began to observe."""
    store_error: str | None = None
    queue_error: str | None = None
    services: Sequence[Service] = ()
    """As they reported last."""
    waiting: int = 0
    """Messages that are accepted and neither stored nor failed; the last known number."""
    oldest_waiting_ns: int | None = None
    refusal: str = ""
    """Why Redis refuses writes, other than for lack of replicas. Heartbeats are writes: all fall silent."""
    is_fenced: bool = False
    """Whether Redis refuses every write for lack of replicas."""
    unfit: str | None = None
    """Why Redis can lose accepted messages; None where it can't."""
    memory_full: str | None = None
    """Why Redis has no memory left for new messages; None while it has."""
    last_arrived_ns: int | None = None
    """The last known arrival of any message."""
    arrivals_known: bool = True
    """Whether Redis or the store could be asked for the last arrival."""
    last_early_ns: int | None = None
    """The last known arrival of a message before it was sent."""
    discrepancy: Discrepancy | None = None
    lost: Sequence[LostNumbers] = field(default_factory=tuple)
