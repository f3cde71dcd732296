"""The figures of all runs, kept up to date from counts of slices of time.

Arrivals are cut into slices of ``SLICE_NS``. What changed is a set of slices, whichever way it changed: a
new batch, a late one, one that was written twice. A changed slice is counted anew by the database and
replaces what was known of it, so nothing is counted twice and the cost does not grow with what is stored.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pipeline.clock import NS_PER_S
from pipeline.store.base import RunFigures

SLICE_NS = 300 * NS_PER_S

Note = tuple[str, str]
"""What names the note of a write: its worker, and its time as the database wrote it."""


@dataclass(slots=True)
class Part:
    """One run in one slice."""

    stored: int = 0
    late: int = 0
    highest: int = -1
    first_arrived_ns: int = 2**63 - 1
    last_arrived_ns: int = 0

    def add(self, other: "Part") -> None:
        """Take in the figures of ``other``, of the same run."""
        self.stored += other.stored
        self.late += other.late
        self.highest = max(self.highest, other.highest)
        self.first_arrived_ns = min(self.first_arrived_ns, other.first_arrived_ns)
        self.last_arrived_ns = max(self.last_arrived_ns, other.last_arrived_ns)


Slices = Mapping[int, Mapping[str, Part]]
"""By the start of a slice, then by run."""


@dataclass(slots=True)
class History:
    """What a reader knows. Serves as its cursor."""

    notes: dict[Note, int] = field(default_factory=dict)
    """Notes that may come up again, and when each was first seen (Unix nanoseconds)."""
    slices: dict[int, Mapping[str, Part]] = field(default_factory=dict)
    totals: dict[str, Part] = field(default_factory=dict)

    def replace(self, starts: Iterable[int], counted: Slices) -> list[RunFigures]:
        """Take the slices at ``starts`` as they were just counted; the figures of the runs in them."""
        changed: set[str] = set()
        for start in starts:
            parts = counted.get(start, {})
            known = self.slices.get(start, {})
            for run in {*parts, *known}:
                if parts.get(run) != known.get(run):
                    self._correct(run, known.get(run, Part()), parts.get(run, Part()))
                    changed.add(run)
            self.slices[start] = parts
        return [_figures(run, self.totals[run]) for run in sorted(changed) if self.totals[run].stored]

    def _correct(self, run: str, known: Part, counted: Part) -> None:
        """Nothing is ever deleted, so only sums need to forget what was known before."""
        total = self.totals.setdefault(run, Part())
        total.stored -= known.stored
        total.late -= known.late
        total.add(counted)


def _figures(run: str, part: Part) -> RunFigures:
    return RunFigures(run, part.stored, part.highest, part.first_arrived_ns, part.last_arrived_ns, part.late)


def slices_between(first_ns: int, last_ns: int) -> range:
    """The starts of the slices that hold arrivals from ``first_ns`` to ``last_ns``."""
    return range(first_ns // SLICE_NS * SLICE_NS, last_ns + 1, SLICE_NS)


def stretches(starts: Iterable[int]) -> list[tuple[int, int]]:
    """Slices as stretches ``[start, end)``, those side by side joined."""
    joined: list[tuple[int, int]] = []
    for start in sorted(starts):
        if joined and joined[-1][1] == start:
            joined[-1] = (joined[-1][0], start + SLICE_NS)
        else:
            joined.append((start, start + SLICE_NS))
    return joined
