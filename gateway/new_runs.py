"""Limits how many runs a sender starts."""

import math
from collections import OrderedDict
from collections.abc import Collection

from gateway.problems import retry_later
from gateway.senders import Sender
from gateway.throttle import Throttle
from pipeline.message import MAX_BATCH

NEW_RUNS_PER_MINUTE = 600
MAX_KNOWN_RUNS = 20_000
"""Run names that a process remembers; any other run counts as new."""


class NewRuns:
    """The runs of all senders: each uses memory in Redis and the database, so new ones have a rate limit."""

    def __init__(self, throttle: Throttle | None = None) -> None:
        self._throttle = throttle or Throttle(NEW_RUNS_PER_MINUTE, burst=MAX_BATCH)
        self._known: OrderedDict[str, None] = OrderedDict()

    def admit(self, sender: Sender, runs: Collection[str]) -> None:
        """Raises Problem, 429, if the sender starts too many runs."""
        new = [run for run in runs if run not in self._known]
        wait_s = self._throttle.acquire(sender.id, len(new)) if new else 0
        if wait_s:
            text = f"more than {NEW_RUNS_PER_MINUTE} new runs a minute: nothing was accepted"
            raise retry_later(429, text, math.ceil(wait_s))
        for run in runs:
            self._known[run] = None
            self._known.move_to_end(run)
        while len(self._known) > MAX_KNOWN_RUNS:
            self._known.popitem(last=False)
