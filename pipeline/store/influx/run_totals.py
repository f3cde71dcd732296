"""Totals over all runs, kept from the figures of those that changed."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from heapq import nlargest
from typing import Any

from pipeline.store.figures import NEWEST_RUNS, RunFigures, Totals

MAX_KEPT = 1_000
"""Runs whose figures are kept: the newest by first arrival."""

MAX_COUNTED = 100_000
"""Older runs of which only the number of messages is kept, some 15 MB; nothing is kept of even older ones."""

RECOUNT_S = 60.0
"""Everything is counted again at most this often because of a run of which nothing was kept."""

Changes = Callable[[Any], tuple[Sequence[RunFigures], Any]]
"""``InfluxStore.changes``."""


class RunTotals:
    """Running totals of bounded size.

    The cost of a read depends on what changed, however many runs there are. Where more than ``MAX_KEPT`` +
    ``MAX_COUNTED`` runs exist and one changes of which nothing is kept, its messages count twice until
    everything is counted again.
    """

    def __init__(self, changes: Changes, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._changes = changes
        self._monotonic = monotonic
        self._cursor: Any = None
        self._counted_s = monotonic()
        self._kept: dict[str, RunFigures] = {}
        self._counted: dict[str, int] = {}
        self._forgotten = False  # whether there are runs of which nothing is kept
        self._uncertain = False
        self._shrunk = False  # messages were deleted, perhaps the one with the highest number
        self._oldest_kept_ns = 0  # no run that is not kept began later
        self._newest: tuple[RunFigures, ...] = ()
        self._active: RunFigures | None = None
        self._leading: RunFigures | None = None
        self._highest_run: str | None = None
        self._stored = 0
        self._highest: int | None = None
        self._last_arrived_ns: int | None = None

    @property
    def is_recount_due(self) -> bool:
        """Whether everything should be counted again, by a new object."""
        return self._shrunk or (self._uncertain and self._monotonic() - self._counted_s >= RECOUNT_S)

    def last_arrived(self, limit: int) -> Sequence[RunFigures]:
        """Of the runs that are kept those with the latest arrivals, newest first."""
        return nlargest(limit, self._kept.values(), key=lambda run: run.last_arrived_ns)

    def read(self) -> Totals:
        """The totals as they are now. Raises what ``changes`` raises; then a new object is needed."""
        changed, self._cursor = self._changes(self._cursor)
        return self.update(changed)

    def update(self, changed: Iterable[RunFigures]) -> Totals:
        """Apply the figures of the runs that changed, and return the new totals."""
        news = {run.run: run for run in changed}
        grown = [run for run in news.values() if self._replace(run)]
        if grown:
            self._active = max(grown, key=lambda run: run.last_arrived_ns)
        if news:
            self._leading = self._lead(news)
            self._bound()
            self._newest = self._rank()
        return Totals(
            self._stored,
            self._highest,
            self._last_arrived_ns,
            self._newest,
            self._active,
            self._leading,
            self._highest_run,
        )

    def _lead(self, news: Mapping[str, RunFigures]) -> RunFigures | None:
        """Of all runs, also of those that are not kept, the filled one with the highest number."""
        before = self._leading
        candidates = [*self._kept.values(), *([before] if before and before.run not in news else [])]
        return max((run for run in candidates if run.is_filled), key=lambda run: run.highest, default=None)

    def _replace(self, run: RunFigures) -> bool:
        """Replace what is known of a run; whether it has more messages than before."""
        known = self._known(run.run)
        self._stored += run.stored - known
        self._shrunk |= run.stored < known
        if not run.stored:
            self._kept.pop(run.run, None)
            return False
        if self._highest is None or run.highest > self._highest:
            self._highest, self._highest_run = run.highest, run.run
        last_ns = run.last_arrived_ns
        self._last_arrived_ns = max(last_ns, self._last_arrived_ns or last_ns)
        self._kept[run.run] = run
        return run.stored > known

    def _known(self, name: str) -> int:
        """The messages of a run that are already in the total."""
        if name in self._kept:
            return self._kept[name].stored
        if name in self._counted:
            return self._counted.pop(name)
        self._uncertain |= self._forgotten and self._cursor is not None
        return 0

    def _bound(self) -> None:
        if len(self._kept) > MAX_KEPT:
            newest = _newest(MAX_KEPT, self._kept.values())
            rest = self._kept.keys() - {run.run for run in newest}
            self._oldest_kept_ns = max(self._oldest_kept_ns, newest[-1].first_arrived_ns)
            self._counted.update((name, self._kept[name].stored) for name in rest)
            self._kept = {run.run: run for run in newest}
        while len(self._counted) > MAX_COUNTED:
            del self._counted[next(iter(self._counted))]  # what has not changed for the longest time
            self._forgotten = True

    def _rank(self) -> tuple[RunFigures, ...]:
        newest = _newest(NEWEST_RUNS, self._kept.values())
        if not newest:
            return ()
        # Late messages may move first arrivals earlier; then a run that is not kept may rank higher.
        self._uncertain |= newest[-1].first_arrived_ns < self._oldest_kept_ns
        return tuple(newest)


def _newest(limit: int, runs: Iterable[RunFigures]) -> list[RunFigures]:
    return nlargest(limit, runs, key=lambda run: run.first_arrived_ns)
