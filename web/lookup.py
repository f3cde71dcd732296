"""Reads single runs and messages when somebody asks, apart from the sampler."""

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import gevent
from redis import Redis, RedisError

from pipeline.queue import job_search, ledger
from pipeline.queue.ledger import RunLedger
from pipeline.redact import without_credentials
from pipeline.store import Store, StoreUnavailable
from web import formatting, trace
from web.run_summary import RunSummary, summarize
from web.trace import Trace

MAX_RUNS = 1_000
"""Runs that are listed: those with the most recently stored messages."""

MAX_CALLS = 16
"""Calls that wait for the one that runs; more are refused."""

TIMEOUT_S = 3.0

_T = TypeVar("_T")


class LookupFailed(Exception):
    """It can't be read now; the text says why."""


class Pool(Protocol):
    """Where calls run: gevent's ThreadPool, of one thread, since a store is for one thread."""

    def spawn(self, call: Callable[[], Any]) -> Any:
        """Start a call; returns what ``get`` waits for."""


class Lookup:
    """Reads from a store and a client of its own. Every method raises LookupFailed."""

    def __init__(self, redis: Redis, store: Store, pool: Pool) -> None:
        self._redis = redis
        self._store = store
        self._pool = pool
        self._calls = 0

    def runs(self) -> list[RunSummary]:
        """The runs, the newest arrival first."""
        return self._call(self._runs)

    def run(self, name: str) -> RunSummary | None:
        """One run; None where neither Redis nor the database knows it."""
        return self._call(lambda: self._run(name))

    def message(self, run: str, number: int) -> Trace:
        """One message, wherever it is."""
        return self._call(lambda: self._message(run, number))

    def _call(self, read: Callable[[], _T]) -> _T:
        if self._calls >= MAX_CALLS:
            raise LookupFailed(f"{MAX_CALLS} such requests wait already")
        self._calls += 1
        try:
            with gevent.Timeout(TIMEOUT_S):
                result: _T = self._pool.spawn(read).get()
                return result
        except gevent.Timeout as late:
            raise LookupFailed(f"no answer within {TIMEOUT_S:.0f} s") from late
        except RedisError as error:
            raise LookupFailed(formatting.unreadable("queue", without_credentials(str(error)))) from error
        except StoreUnavailable as error:
            raise LookupFailed(formatting.unreadable("database", str(error))) from error
        finally:
            self._calls -= 1

    def _runs(self) -> list[RunSummary]:
        names = [figures.run for figures in self._store.runs(MAX_RUNS)]
        entries = self._entries(*names)
        figures = {each.run: each for each in self._store.runs(MAX_RUNS)}
        known = figures.keys() | {run for run, entry in entries.items() if entry.accepted}
        runs = [summarize(run, entries.get(run), figures.get(run)) for run in known]
        return sorted(runs, key=lambda run: (run.last_arrived_ns or 0, run.run), reverse=True)[:MAX_RUNS]

    def _run(self, name: str) -> RunSummary | None:
        try:
            entry = ledger.read(self._redis, [name]).runs.get(name)
        except RedisError:
            if (figures := self._store.run(name)) is None:
                raise
            return summarize(name, None, figures)
        figures = self._store.run(name)
        if figures is None and (entry is None or entry.accepted is None):
            return None
        return summarize(name, entry, figures)

    def _entries(self, *names: str) -> dict[str, RunLedger]:
        """What Redis knows of runs; nothing where it can't be read: the database alone has most of it."""
        try:
            return dict(ledger.read(self._redis, names).runs)
        except RedisError:
            return {}

    def _message(self, run: str, number: int) -> Trace:
        try:
            queued = job_search.find(self._redis, run, number)
        except RedisError:
            if found := self._stored(run, number):
                return found
            raise
        # The database is asked after Redis: a message that moves meanwhile is found there.
        if found := self._stored(run, number):
            return found
        queued = queued or job_search.find(self._redis, run, number)  # it may have been accepted just now
        if queued:
            return trace.of_queued(run, number, queued)
        return self._beyond_search(run, number)

    def _beyond_search(self, run: str, number: int) -> Trace:
        """A message that is in none of the jobs that are searched."""
        state = job_search.unsearched(self._redis)
        accepted = state is not None and job_search.is_remembered(self._redis, run, number)
        if found := self._stored(run, number):
            return found
        if state is None:
            return Trace(run, number, trace.UNKNOWN)
        return trace.of_unsearched(run, number, state if accepted else None)

    def _stored(self, run: str, number: int) -> Trace | None:
        found = self._store.message(run, number)
        return trace.of_stored(found) if found else None
