"""The one reader of this process: once a second it reads everything and hands on one reading."""

import time
from collections.abc import Callable, Mapping, Sequence

import gevent

from pipeline.clock import NS_PER_MS, NS_PER_S, Clock
from pipeline.store import Totals
from web import metrics
from web.asking import Asking
from web.database import DatabaseReading
from web.jobs import QueueReading
from web.journal import Journal
from web.losses import Losses
from web.reading import Reading

PERIOD_NS = NS_PER_S
PHASE_NS = 250 * NS_PER_MS
"""When in a second a reading begins. A burst is sent in the first 100 ms of a second, so by then it is
stored, and a window never cuts one in two."""

ANSWER_S = 0.5
"""A reading waits so long for answers, then it goes out with what there is."""


class Reader:
    """Asks the database and the queue, and makes readings of their answers."""

    def __init__(
        self,
        database: Asking[int, DatabaseReading],
        queue: Asking[Sequence[str], QueueReading],
        *,
        store: str,
        name: str = "web",
        clock: Clock = time.time_ns,
    ) -> None:
        self._database = database
        self._queue = queue
        self._store = store
        self._clock = clock
        self._losses = Losses()
        self._journal = Journal()
        self._journal.note_parts({name: clock()})
        self._last_id = 0
        self._judged = 0  # how many answers of the database there were when losses were judged last

    def run(self, publish: Callable[[Reading], None]) -> None:
        """Read once a second, for ever."""
        while True:
            now_ns = self._clock()
            wait_ns = PERIOD_NS - (now_ns - PHASE_NS) % PERIOD_NS
            gevent.sleep(wait_ns / NS_PER_S)
            metrics.READING_LAG_SECONDS.observe(max(0.0, (self._clock() - now_ns - wait_ns) / NS_PER_S))
            publish(self.read())

    def read(self) -> Reading:
        """One reading, within ``ANSWER_S``."""
        at_ns = self._clock()
        with metrics.READING_SECONDS.time():
            self._ask(at_ns)
        reading = self._reading(at_ns)
        metrics.READ_AT.set(at_ns / NS_PER_S)
        return reading

    def _ask(self, at_ns: int) -> None:
        known = self._database.answer
        self._database.ask(at_ns)
        self._queue.ask([run.run for run in known.totals.runs] if known else [])
        until_s = time.monotonic() + ANSWER_S
        self._database.wait(until_s - time.monotonic())
        self._queue.wait(until_s - time.monotonic())

    def _reading(self, at_ns: int) -> Reading:
        database, error = self._database.answer, self._database.error
        queue = None if self._queue.error else self._queue.answer
        totals = database.totals if database else None
        losses = self._verdict(totals)
        self._note(at_ns, totals, losses)
        self._last_id = max(at_ns // NS_PER_MS, self._last_id + 1)
        return Reading(
            id=self._last_id,
            at_ns=at_ns,
            store=self._store,
            totals=totals,
            window=database.window if database and not error else None,
            queue=queue,
            losses=losses,
            journal=self._journal.lines,
            error=error,
        )

    def _verdict(self, totals: Totals | None) -> dict[str, int]:
        """Losses are judged by what was read now, never by what is only remembered."""
        if self._database.error:
            self._losses.pause()
        elif totals and self._database.answers > self._judged:
            self._losses.note(totals)
        self._judged = self._database.answers
        return self._losses.lost

    def _note(self, at_ns: int, totals: Totals | None, losses: Mapping[str, int]) -> None:
        self._journal.note_state(at_ns, "database", self._database.error)
        self._journal.note_state(at_ns, "queue", self._queue.error)
        if self._queue.answer:
            self._journal.note_parts(self._queue.answer.started_ns)
        if totals:
            self._journal.note_runs(totals)
        self._journal.note_losses(at_ns, losses)
