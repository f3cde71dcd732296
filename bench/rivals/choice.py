"""Finds the best way to run a rival, since that is what its maintainers would measure."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.rivals import measure
from bench.rivals.limits import Limits
from bench.rivals.rival import Rival
from bench.rivals.rival_site import RivalSite, SetUp
from bench.rivals.site import running, temporary_folder

CONNECTIONS = 64
MIDDLE, OTHERS = 32, (16, 64)
"""Threads of a front end."""


class Choice:
    """Tries the ways to run a rival; ``tried`` has what each of them did.

    Args:
        open_site: a site of a set-up in a folder.
        limits: how long each is tried.
    """

    def __init__(self, open_site: Callable[[SetUp, Path], RivalSite], limits: Limits) -> None:
        self._open_site, self._limits = open_site, limits
        self.tried: list[dict[str, Any]] = []

    def choose(self, rival: Rival) -> SetUp:
        """The set-up whose front end accepts most, with the workers that store most."""
        workers = tuple(rival.workers)
        servers = (("loop", 1),) if rival.is_async else (("threads", MIDDLE), ("gthread", MIDDLE))
        front_ends = [SetUp(*server, processes, workers[0]) for server in servers for processes in (1, 2)]
        best = self._best(front_ends, "accepted_per_s", 0.0)
        if not rival.is_async:
            others = [replace(best, threads=threads) for threads in OTHERS]
            best = self._best([best, *others], "accepted_per_s", 0.0)
        variants = [replace(best, workers=name) for name in workers]
        return self._best(variants, "stored_per_s", self._limits.probe_drain_s)

    def _best(self, candidates: Sequence[SetUp], figure: str, drain_s: float) -> SetUp:
        """The candidate with the highest figure; each is tried once for it."""
        known = {one["set_up"]: one[figure] for one in self.tried if one["decides"] == figure}
        for set_up in candidates:
            if set_up not in known:
                found = self._try(set_up, drain_s)
                self.tried.append({"set_up": set_up, "decides": figure, **found})
                known[set_up] = found[figure]
        return max(candidates, key=lambda one: float(known[one]))

    def _try(self, set_up: SetUp, drain_s: float) -> dict[str, Any]:
        limits = self._limits
        with (
            temporary_folder() as folder,
            running(self._open_site(set_up, folder)) as site,
        ):
            return measure.throughput(site, CONNECTIONS, limits.probe_s, drain_s).as_dict()
