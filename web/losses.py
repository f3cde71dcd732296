"""Tells messages that are lost from those that are just in flight."""

from collections import deque

from pipeline.store import RunFigures, Totals

READINGS = 6
"""A number must have been missing in so many readings, 5 s, to be called lost."""


class Losses:
    """Watches the missing messages of the runs that are shown."""

    def __init__(self) -> None:
        self._seen: dict[str, deque[int]] = {}
        self.lost: dict[str, int] = {}
        """The lasting losses of the runs shown, by run; runs without one are left out."""

    def note(self, totals: Totals) -> dict[str, int]:
        """Judge by totals that were read now; returns ``lost``."""
        self._seen = {run.run: self._seen.get(run.run, deque(maxlen=READINGS)) for run in totals.runs}
        judged = {run.run: self._judge(run) for run in totals.runs}
        self.lost = {run: missing for run, missing in judged.items() if missing}
        return self.lost

    def pause(self) -> None:
        """There is nothing to judge by: what is lost stays so, what is missing is watched from the start."""
        self._seen = {}

    def _judge(self, run: RunFigures) -> int:
        seen = self._seen[run.run]
        seen.append(run.missing)
        if len(seen) == READINGS:
            return min(seen)
        return min(self.lost.get(run.run, 0), run.missing)
