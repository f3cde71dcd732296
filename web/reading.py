"""One reading: all that the service knows at one moment."""

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.store import Totals, Window
from web.jobs import QueueReading
from web.journal import Line


@dataclass(frozen=True, slots=True)
class Reading:
    """What every stream, the page and ``/fizzbuzz/stats`` say, from one and the same moment."""

    id: int
    """Rises with each reading, also over restarts: Unix milliseconds."""
    at_ns: int
    store: str
    """Which database: ``sqlite`` or ``influxdb``."""
    totals: Totals | None
    """The last known ones; None where none were ever read."""
    window: Window | None
    """None while the store can't be read."""
    queue: QueueReading | None
    """None while Redis can't be read."""
    losses: Mapping[str, int]
    """Missing messages by run, where they have been missing for a while, not just in flight."""
    journal: tuple[Line, ...]
    """What happened last, oldest first."""
    error: str | None
    """Why the store can't be read, in words."""
