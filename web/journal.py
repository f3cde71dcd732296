"""What happened: parts restarted, database and queue away and back, runs begun, messages lost."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.clock import NS_PER_S
from pipeline.store import Totals

LINES = 20
"""Lines that are kept."""


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that happened."""

    at_ns: int
    kind: str
    """``part``, ``run``, ``away``, ``back`` or ``loss``."""
    text: str


class Journal:
    """Compares each reading with the one before and writes down what changed."""

    def __init__(self) -> None:
        self._lines: deque[Line] = deque(maxlen=LINES)
        self._away: dict[str, int] = {}
        self._started: dict[str, int] | None = None
        self._newest_run_ns: int | None = None
        self._lost: dict[str, int] = {}

    @property
    def lines(self) -> tuple[Line, ...]:
        """The last lines, oldest first."""
        return tuple(sorted(self._lines, key=lambda line: line.at_ns))

    def note_state(self, at_ns: int, name: str, error: str | None) -> None:
        """Whether the ``name`` (``database``, ``queue``) can be read, and why not."""
        away_since_ns = self._away.get(name)
        if error and away_since_ns is None:
            self._away[name] = at_ns
            self._add(at_ns, "away", f"{name} away")
        elif not error and away_since_ns is not None:
            del self._away[name]
            seconds = round((at_ns - away_since_ns) / NS_PER_S)
            self._add(at_ns, "back", f"{name} back after {seconds} s")

    def note_parts(self, started_ns: Mapping[str, int]) -> None:
        """When each part last started."""
        known = self._started or {}
        for name, at_ns in sorted(started_ns.items(), key=lambda part: part[1]):
            if at_ns != known.get(name):
                self._add(at_ns, "part", f"{name} {'restarted' if name in known else 'started'}")
        self._started = dict(started_ns)

    def note_runs(self, totals: Totals) -> None:
        """The runs there are. Of those before the first look only the newest gets a line."""
        newest_ns = self._newest_run_ns
        fresh = totals.runs[:1] if newest_ns is None else totals.runs
        for run in reversed(fresh):
            if newest_ns is None or run.first_arrived_ns > newest_ns:
                self._add(run.first_arrived_ns, "run", f"new run {run.run}")
        self._newest_run_ns = totals.runs[0].first_arrived_ns if totals.runs else 0

    def note_losses(self, at_ns: int, losses: Mapping[str, int]) -> None:
        """Messages that have been missing for a while, by run."""
        for run in self._lost.keys() - losses.keys():
            self._add(at_ns, "back", f"run {run} has no message missing any more")
        for run, missing in losses.items():
            if missing > self._lost.get(run, 0):
                self._add(at_ns, "loss", f"run {run}: {missing} missing")
        self._lost = dict(losses)

    def _add(self, at_ns: int, kind: str, text: str) -> None:
        self._lines.append(Line(at_ns, kind, text))
