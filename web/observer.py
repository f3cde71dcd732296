"""Draws the conclusions from each reading: the balance, the runs, the conditions and the events."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from pipeline.clock import NS_PER_S
from pipeline.store import RunFigures, Totals
from web import events
from web.baseline import BaselineFinder
from web.conditions import Condition, Conditions
from web.event_log import Event, EventLog
from web.gate import Gate
from web.last_arrival import LastArrival
from web.ledger import UNKNOWN, Balance, Discrepancy, DiscrepancyWatch, Reconciler
from web.observation import LostNumbers, Observation
from web.poller import BackgroundPoller
from web.producer_watch import ProducerWatch
from web.queue_reader import QueueRequest, QueueSample
from web.run_summary import RunSummary, summarize
from web.services import ServiceWatch, of_kind
from web.store_reader import StoreRequest, StoreSample

SEARCH_AFTER_NS = 5 * NS_PER_S
"""A difference that is read for this long is worth a search: then it is over when the alarm is raised."""

_summarize = lru_cache(maxsize=64)(summarize)  # from one second to the next only the active run changes

LossPoller = BackgroundPoller[None, tuple[LostNumbers, ...]]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a tick has received, beside a new sample of Redis."""

    at_ns: int
    queue_error: str | None
    pair: tuple[QueueSample | None, StoreSample] | None
    """A new sample of the store, if there is one, and the sample of Redis that was received before it was
    asked for (None: Redis could not be read)."""
    store_error: str | None
    confirmation: QueueSample | None = None
    """A sample of Redis that was asked for after the pair before."""


class Observer:
    """What is concluded so far.

    Args:
        name: of this service, for its own events.
        began_ns: when this process began to observe.
        search: searches for lost messages in the background.
        started_ns: when the service started, if not with this process.
    """

    def __init__(
        self, name: str, began_ns: int, search: LossPoller, *, started_ns: int | None = None
    ) -> None:
        self._name = name
        self._began_ns = began_ns
        self._started_ns = began_ns if started_ns is None else started_ns
        self._search = search
        self._services = ServiceWatch()
        self._reconciler = Reconciler()
        self._baseline = BaselineFinder()
        self._watch = DiscrepancyWatch()
        self._conditions = Conditions()
        self._log = EventLog()
        self._condition_events = events.ConditionEvents(self._log, began_ns)
        self._producer = ProducerWatch(self._log)
        self._log_loaded = False
        self._queue: QueueSample | None = None
        self._store: StoreSample | None = None
        self._shown: Sequence[RunFigures] = ()  # the runs of ``_store`` that are shown
        self._discrepancy: Discrepancy | None = None
        self._last_arrival = LastArrival()
        self.balance: Balance = UNKNOWN
        self.runs: tuple[RunSummary, ...] = ()
        """The runs that are shown, the newest arrival first."""
        self.conditions: tuple[Condition, ...] = ()

    @property
    def events(self) -> tuple[Event, ...]:
        """The last events, oldest first."""
        return self._log.events

    @property
    def is_in_doubt(self) -> bool:
        """Whether Redis should be read once more (``Reconciler.is_in_doubt``)."""
        return self._reconciler.is_in_doubt

    def queue_request(self) -> QueueRequest:
        """What the next reading of Redis should ask for and keep."""
        runs = [run.run for run in self._shown]
        return QueueRequest(runs, self._log.pending if self._log_loaded else (), self._baseline.found)

    def store_request(self, at_ns: int, queue_read: Gate) -> StoreRequest:
        """What the next reading of the store should ask for."""
        return StoreRequest(at_ns, self._queue.clock_offsets if self._queue else {}, queue_read)

    def observe_queue(self, at_ns: int, queue: QueueSample) -> None:
        """Conclude from a new sample of Redis what needs no store."""
        self._queue = queue
        self._services.update(at_ns, queue.services)
        if queue.events:
            self._log.merge(queue.events.events, writes=queue.events.writes)
            if not self._log_loaded:
                self._conditions.restore(self._condition_events.restore())
                self._log_loaded = True

    def observe(self, reading: Reading) -> None:
        """Conclude from what a tick has received."""
        if reading.confirmation:
            self._reconciler.confirm(reading.confirmation.ledger)
        if reading.pair:
            self._observe_pair(reading.at_ns, *reading.pair)
        self._update_balance(reading)
        self._search_losses(reading.at_ns)
        self.conditions = self._conditions.update(self._observation(reading))
        self._record_events(reading.at_ns)

    def _observe_pair(self, at_ns: int, queue: QueueSample | None, store: StoreSample) -> None:
        self._store, self._shown = store, _shown(store.totals)
        if queue is None:
            return
        self._baseline.update(queue.ledger, store.totals.stored)
        self.balance = self._reconciler.update(queue.ledger, store.totals.stored)
        self._discrepancy = self._watch.update(at_ns, self._reconciler.difference)
        self.runs = tuple(_summarize(run.run, queue.ledger.runs.get(run.run), run) for run in self._shown)

    def _update_balance(self, reading: Reading) -> None:
        """Leave out what can't be read now."""
        queue = self._queue.ledger if self._queue and not reading.queue_error else None
        stored = self._store.totals.stored if self._store and not reading.store_error else None
        if queue is None:
            self.balance = Balance(None, stored, None, None)
        elif stored is None:
            self.balance = Balance(queue.accepted, None, queue.waiting, queue.failed)

    def _search_losses(self, at_ns: int) -> None:
        """Search for the numbers of lost messages, again and again while some are lost."""
        self._search.wait(0.0)
        began_ns = self._watch.began_ns
        if began_ns is None:
            self._search.forget()
        elif at_ns - began_ns >= SEARCH_AFTER_NS and (self.balance.unaccounted or 0) > 0:
            self._search.poll(None)

    def _observation(self, reading: Reading) -> Observation:
        queue = self._queue
        ledger = queue.ledger if queue else None
        server = queue.server if queue else None
        return Observation(
            at_ns=reading.at_ns,
            began_ns=self._began_ns,
            store_error=reading.store_error,
            queue_error=reading.queue_error,
            services=self._services.services,
            waiting=ledger.waiting if ledger else 0,
            oldest_waiting_ns=ledger.oldest_waiting_ns if ledger else None,
            refusal=queue.refusal if queue and not reading.queue_error else "",
            is_fenced=bool(server and server.is_fenced and not reading.queue_error),
            unfit=server.unfit if server else None,
            memory_full=server.full if server else None,
            last_arrived_ns=self._last_arrived_ns(reading.at_ns),
            arrivals_known=not (reading.queue_error and reading.store_error),
            last_early_ns=self._store.window.last_early_ns if self._store else None,
            discrepancy=self._discrepancy,
            lost=self._search.value or (),
        )

    def _last_arrived_ns(self, at_ns: int) -> int | None:
        """The last arrival of any message, stored or not."""
        ledger = self._queue.ledger if self._queue else None
        totals = self._store.totals if self._store else None
        moments = [entry.last_arrived_ns for entry in ledger.runs.values()] if ledger else []
        moments.append(totals.last_arrived_ns if totals else None)
        last_ns = max((ns for ns in moments if ns is not None), default=None)
        counts = ledger.registered if ledger else 0, totals.stored if totals else 0
        return self._last_arrival.update(at_ns, last_ns, *counts)

    def _record_events(self, at_ns: int) -> None:
        """Until the log was read from Redis, it is not known what it has already."""
        if not self._log_loaded and self._queue is None and at_ns - self._began_ns < SEARCH_AFTER_NS:
            return
        if self._log_loaded:  # it shows whether this is a restart
            events.service_start(self._log, self._name, self._started_ns, own=True)
        events.service_events(self._log, self._services.services, at_ns)
        if self._queue and self._queue.server:
            events.redis_start(self._log, self._queue.server, at_ns)
        if self._queue:
            self._producer.update(at_ns, self._queue.ledger.runs.values(), self.conditions)
        if self._store:
            events.run_events(self._log, self._store.totals.runs)
        lost = self._discrepancy.messages if self._discrepancy else 0
        named = self._search.value is not None or lost < 0
        covered = self._covered() if self.conditions else ()
        self._condition_events.update(at_ns, self.conditions, covered=covered, lost=lost, named=named)

    def _covered(self) -> set[str]:
        """Conditions that the silence of a single service has put into the log already."""
        codes = (("worker_silent", "worker"), ("consumer_unreachable", "consumer"))
        services = self._services.services
        covered = {code for code, kind in codes if any(one.silent for one in of_kind(services, kind))}
        return covered | ({"nothing_arrives"} if self._producer.is_silent else set())


def _shown(totals: Totals) -> Sequence[RunFigures]:
    """The runs that are shown: those that began last, and that of the last stored message."""
    runs = {run.run: run for run in totals.runs}
    if totals.active:
        runs.setdefault(totals.active.run, totals.active)
    return sorted(runs.values(), key=lambda run: run.last_arrived_ns, reverse=True)
