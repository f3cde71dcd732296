"""The figures of all runs, kept up to date from what changed."""

from collections.abc import Iterable
from dataclasses import dataclass
from heapq import nlargest

from pipeline.store import RunFigures

SHOWN_RUNS = 8
"""Runs that are shown one by one; all of them count in the totals."""


@dataclass(frozen=True, slots=True)
class Totals:
    """What is in the database, over all runs."""

    stored: int
    highest: int | None
    last_arrived_ns: int | None
    runs: tuple[RunFigures, ...]
    """The newest runs by first arrival, newest first, ``SHOWN_RUNS`` at most."""


class Figures:
    """Running totals. An update costs as much as changed, however many runs there are."""

    def __init__(self) -> None:
        self._runs: dict[str, RunFigures] = {}
        self._shown: tuple[RunFigures, ...] = ()
        self._stored = 0
        self._highest: int | None = None
        self._last_arrived_ns: int | None = None

    def update(self, changed: Iterable[RunFigures]) -> Totals:
        """Take over the figures of the runs that changed, and return the new totals."""
        news = {run.run: run for run in changed}
        for run in news.values():
            self._take(run)
        if news:
            self._shown = self._newest(news)
        return Totals(self._stored, self._highest, self._last_arrived_ns, self._shown)

    def _take(self, run: RunFigures) -> None:
        known = self._runs.get(run.run)
        self._stored += run.stored - (known.stored if known else 0)
        self._highest = max(run.highest, run.highest if self._highest is None else self._highest)
        last_ns = run.last_arrived_ns
        self._last_arrived_ns = max(last_ns, self._last_arrived_ns or last_ns)
        self._runs[run.run] = run

    def _newest(self, news: dict[str, RunFigures]) -> tuple[RunFigures, ...]:
        """The runs to show: among those shown and those that changed, except where one sank."""
        rivals = {run.run: run for run in self._shown} | news
        # A late message may tell of an earlier first arrival; then a run that was not shown may rise.
        if any(rivals[run.run].first_arrived_ns < run.first_arrived_ns for run in self._shown):
            rivals = self._runs
        return tuple(nlargest(SHOWN_RUNS, rivals.values(), key=lambda run: run.first_arrived_ns))
