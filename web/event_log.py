"""Events: services restarted, sources unavailable and recovered, runs begun, messages missing."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.clock import NS_PER_S
from pipeline.store import RunFigures, Totals

MAX_EVENTS = 20
"""Events that are kept."""

LOSS_SAMPLES = 6
"""A number must have been missing in this many samples in a row, over 5 s, to count as lost."""

_UNAVAILABLE = {"database": "database unavailable", "Redis": "Redis unreachable"}


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened."""

    at_ns: int
    kind: str
    """``service``, ``run``, ``unavailable``, ``recovered`` or ``loss``."""
    text: str


class EventLog:
    """Compares each sample with the one before and records what changed."""

    def __init__(self) -> None:
        self._events: deque[Event] = deque(maxlen=MAX_EVENTS)
        self._unavailable_since_ns: dict[str, int] = {}
        self._started_ns: dict[str, int] | None = None
        self._newest_run_ns: int | None = None
        self._lost: dict[str, int] = {}

    @property
    def events(self) -> tuple[Event, ...]:
        """The last events, oldest first."""
        return tuple(sorted(self._events, key=lambda event: event.at_ns))

    def record_availability(self, at_ns: int, source: str, error: str | None) -> None:
        """Whether ``source`` (``database`` or ``Redis``) can be read, and if not why."""
        since_ns = self._unavailable_since_ns.get(source)
        if error and since_ns is None:
            self._unavailable_since_ns[source] = at_ns
            self._add(at_ns, "unavailable", _UNAVAILABLE[source])
        elif not error and since_ns is not None:
            del self._unavailable_since_ns[source]
            seconds = round((at_ns - since_ns) / NS_PER_S)
            self._add(at_ns, "recovered", f"{source} recovered after {seconds} s")

    def record_starts(self, started_ns: Mapping[str, int]) -> None:
        """When each service last started, by its name."""
        known = self._started_ns or {}
        for name, at_ns in sorted(started_ns.items(), key=lambda start: start[1]):
            if at_ns != known.get(name):
                self._add(at_ns, "service", f"{name} {'restarted' if name in known else 'started'}")
        self._started_ns = dict(started_ns)

    def record_runs(self, totals: Totals) -> None:
        """The runs in the database. Of those in the first sample only the newest becomes an event."""
        newest_ns = self._newest_run_ns
        candidates = totals.runs[:1] if newest_ns is None else totals.runs
        for run in reversed(candidates):
            if newest_ns is None or run.first_arrived_ns > newest_ns:
                self._add(run.first_arrived_ns, "run", f"new run {run.run}")
        self._newest_run_ns = totals.runs[0].first_arrived_ns if totals.runs else 0

    def record_losses(self, at_ns: int, losses: Mapping[str, int]) -> None:
        """Messages that are lost, by run, as ``LossDetector`` reports them."""
        for run in self._lost.keys() - losses.keys():
            self._add(at_ns, "recovered", f"run {run}: no messages missing")
        for run, missing in losses.items():
            if missing > self._lost.get(run, 0):
                self._add(at_ns, "loss", f"run {run}: {missing} missing")
        self._lost = dict(losses)

    def _add(self, at_ns: int, kind: str, text: str) -> None:
        self._events.append(Event(at_ns, kind, text))


class LossDetector:
    """Distinguishes messages that are lost from messages in flight, for the runs that are shown."""

    def __init__(self) -> None:
        self._missing: dict[str, deque[int]] = {}
        self.lost: dict[str, int] = {}
        """Lost messages by run; runs without any are left out."""

    def update(self, totals: Totals) -> dict[str, int]:
        """Evaluate a new sample; returns ``lost``."""
        self._missing = {
            run.run: self._missing.get(run.run, deque(maxlen=LOSS_SAMPLES)) for run in totals.runs
        }
        lost = {run.run: self._evaluate(run) for run in totals.runs}
        self.lost = {run: missing for run, missing in lost.items() if missing}
        return self.lost

    def pause(self) -> None:
        """There is no new sample: ``lost`` stays, and what is missing has to stay missing from now on."""
        self._missing = {}

    def _evaluate(self, run: RunFigures) -> int:
        missing = self._missing[run.run]
        missing.append(run.missing)
        if len(missing) == LOSS_SAMPLES:
            return min(missing)
        return min(self.lost.get(run.run, 0), run.missing)
