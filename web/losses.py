"""Tells messages that are lost from those that are just in flight."""

from collections import deque

from pipeline.store import Totals

READINGS = 6
"""A number must have been missing in so many readings, 5 s, to be called lost."""


class Losses:
    """Watches the missing messages of the runs that are shown."""

    def __init__(self) -> None:
        self._seen: dict[str, deque[int]] = {}

    def note(self, totals: Totals | None) -> dict[str, int]:
        """The lasting losses of the runs shown, by run; runs without one are left out."""
        runs = totals.runs if totals else ()
        self._seen = {run.run: self._seen.get(run.run, deque(maxlen=READINGS)) for run in runs}
        for run in runs:
            self._seen[run.run].append(run.missing)
        return {
            run: min(missing)
            for run, missing in self._seen.items()
            if len(missing) == READINGS and min(missing) > 0
        }
