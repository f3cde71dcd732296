"""What became of a job's messages when they were written to the store."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline.store import WrittenBatch


@dataclass(slots=True)
class WriteOutcome:
    """Messages of one job, by run. Those that are neither stored nor among ``reasons`` were not written."""

    stored: Counter[str] = field(default_factory=Counter)
    """All that are in the database now."""
    repeats: Counter[str] = field(default_factory=Counter)
    """Those of ``stored`` that another job had brought."""
    reasons: list[str] = field(default_factory=list)
    """Why each of the rejected ones was."""

    def add(self, runs: Mapping[str, int], written: WrittenBatch) -> None:
        """Count messages that are stored now."""
        self.stored.update(runs)
        self.repeats.update(written.repeats)


NOTHING = WriteOutcome()
"""Of a job of which nothing was written."""


def as_json(runs: Mapping[str, int]) -> str:
    """Counts by run, as the scripts read them."""
    return json.dumps(dict(runs))
