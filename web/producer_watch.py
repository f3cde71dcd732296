"""Notices when the producer falls silent: it reports its state by its messages alone."""

from collections import deque
from collections.abc import Iterable

from pipeline.clock import NS_PER_S
from pipeline.queue.ledger import RunLedger
from web.conditions import Condition
from web.event_log import Event, EventLog
from web.events import LONG_GONE_NS
from web.last_arrival import LastArrival
from web.moments import token
from web.run_label import sender

SILENT_NS = 8 * NS_PER_S
"""A producer of at least a message a second is silent when none came for this long, and for twice its last
pauses: by then it is known whether a gateway or consumer is."""

PAUSES = 8
"""The last pauses between arrivals that are remembered: bursts may be many seconds apart."""

RECOVERY_NS = 10 * NS_PER_S
"""Once messages are accepted again, a producer has sent what it kept within this time."""

_SILENCE = "silence:producer:"
"""Before the moment since which it is silent: the identity of an event."""

_KEEP_OUT = frozenset(
    {
        "queue_unreachable",
        "queue_unreplicated",
        "queue_unfit",
        "queue_full",
        "queue_memory",
        "consumer_unreachable",
    }
)
"""Conditions in which a producer's messages are not accepted."""


class ProducerWatch:
    """Puts the begin and the end of each silence into ``log``."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._kept_out_ns: int | None = None
        self._arrivals: dict[str, _Arrivals] = {}  # by run

    @property
    def is_silent(self) -> bool:
        """Whether the newest silence has not ended."""
        return self._log.open(_SILENCE) is not None

    def update(self, at_ns: int, runs: Iterable[RunLedger], conditions: Iterable[Condition]) -> None:
        """The runs as Redis knows them now, and what is wrong now."""
        if any(one.code in _KEEP_OUT for one in conditions):
            self._kept_out_ns = at_ns
        known = {run.run: run for run in runs if sender(run.run) == "producer"}
        self._arrivals = {name: self._arrivals.get(name) or _Arrivals() for name in known}
        moments = {
            name: last_ns
            for name, run in known.items()
            if (last_ns := self._arrivals[name].update(at_ns, run)) is not None
        }
        if not moments:
            return
        name, last_ns = max(moments.items(), key=lambda item: item[1])
        passed_ns = at_ns - last_ns
        if passed_ns <= SILENT_NS:
            self._log.end(_SILENCE, at_ns, "producer sends again")
        elif (
            self._arrivals[name].silent_after_ns < passed_ns < LONG_GONE_NS
            and self._was_free(at_ns)
            and _was_steady(known[name])
        ):
            text = f"producer has sent nothing since {token(last_ns)}"
            self._log.add(Event(at_ns, "unavailable", text, f"{_SILENCE}{last_ns}"))

    def _was_free(self, at_ns: int) -> bool:
        return self._kept_out_ns is None or at_ns - self._kept_out_ns > RECOVERY_NS


class _Arrivals:
    """When the last message of a run arrived, and the pauses before."""

    def __init__(self) -> None:
        self._last = LastArrival()
        self._last_ns: int | None = None
        self._pauses_ns: deque[int] = deque(maxlen=PAUSES)

    def update(self, at_ns: int, run: RunLedger) -> int | None:
        """When the last one arrived, in ns; None while there is none."""
        before, self._last_ns = self._last_ns, self._last.update(at_ns, run.last_arrived_ns, run.accepted)
        if before is not None and self._last_ns is not None and self._last_ns > before:
            self._pauses_ns.append(self._last_ns - before)
        return self._last_ns

    @property
    def silent_after_ns(self) -> int:
        """How long nothing must come until the sender counts as silent."""
        return max(SILENT_NS, 2 * max(self._pauses_ns, default=0))


def _was_steady(run: RunLedger) -> bool:
    """Whether as many messages came as seconds passed."""
    if run.first_arrived_ns is None or run.last_arrived_ns is None:
        return False
    return (run.accepted or 0) * NS_PER_S >= run.last_arrived_ns - run.first_arrived_ns
