"""Finds out which messages are lost: accepted, and neither in the database nor in any job."""

from collections.abc import Iterator
from itertools import chain, islice

from redis import Redis

from pipeline.queue import job_search, ledger
from pipeline.queue.ledger import RunLedger
from pipeline.store import Store
from web.condition_texts import NUMBERS_NAMED
from web.observation import LostNumbers
from web.run_summary import summarize

MAX_RUNS = 1_000
"""Runs that are examined: those with the most recently stored messages."""

MAX_LOSERS = 5
"""Runs of which the lost numbers are searched for."""

MAX_RANGES = 1_000
MAX_CANDIDATES = 20_000
"""Numbers of one run that are searched for in Redis, the highest first."""


class LossSearch:
    """Searches with a store and a client of its own, for the background: it may take seconds."""

    def __init__(self, redis: Redis, store: Store) -> None:
        self._redis = redis
        self._store = store

    def run(self) -> tuple[LostNumbers, ...]:
        """The runs that lost messages, the worst first. Raises redis.RedisError and StoreUnavailable."""
        names = [figures.run for figures in self._store.runs(MAX_RUNS)]
        entries = ledger.read(self._redis, names).runs
        stored = {figures.run: figures for figures in self._store.runs(MAX_RUNS)}
        lost = {run: summarize(run, entries[run], stored.get(run)).lost or 0 for run in entries}
        losers = sorted(filter(lost.__getitem__, lost), key=lost.__getitem__, reverse=True)[:MAX_LOSERS]
        return tuple(LostNumbers(run, lost[run], self._numbers(entries[run])) for run in losers)

    def _numbers(self, entry: RunLedger) -> tuple[int, ...]:
        candidates = islice(self._not_stored(entry), MAX_CANDIDATES)
        found = job_search.lost_numbers(self._redis, entry.run, candidates)
        if not found:
            return ()
        # What waited when the database was asked may have been stored since: it is asked once more.
        still = set(islice(self._not_stored(entry), MAX_CANDIDATES))
        return tuple(number for number in found if number in still)[: NUMBERS_NAMED + 1]

    def _not_stored(self, entry: RunLedger) -> Iterator[int]:
        """Numbers that the database lacks, falling: those above its highest, then those in its holes."""
        figures = self._store.run(entry.run)
        holes = self._store.holes(entry.run, MAX_RANGES) if figures else ()
        above = range(entry.highest or 0, figures.highest if figures else -1, -1)
        return chain(above, *(range(last, first - 1, -1) for first, last in holes))
