"""Turns readings into events: what each reading shows that the one before did not."""

from collections.abc import Collection, Iterable, Sequence

from pipeline.clock import NS_PER_S
from pipeline.queue.server_info import ServerInfo
from pipeline.store import RunFigures
from web.conditions import SETTLED_NS, Condition
from web.event_log import END, Event, EventLog
from web.moments import token
from web.run_label import label, sender
from web.services import STOPPED, Service

LONG_GONE_NS = 60 * NS_PER_S
"""No event for a service that fell silent longer ago: its replica was removed, or the log had it."""

LASTING_NS = 29 * NS_PER_S // 10
"""A shorter silence of a service is no event: on a busy machine a report may be a little late."""

QUIET_NS = 10 * NS_PER_S
"""A shorter pause between arrivals is no event, so that a slow sender does not fill the log."""

SEARCH_NS = 18 * NS_PER_S
"""Lost messages become an event when their numbers are known, at the latest this long after the difference
was first read."""

_CONDITIONS = {
    "unaccounted": ("accepted messages can't be found", "all accepted messages are accounted for again"),
    "store_unreadable": ("database can't be read", "database can be read again"),
    "store_unwritable": ("database can't be written", "database can be written again"),
    "worker_silent": (
        "messages wait and no worker stores them",
        "a worker stores messages again",
    ),
    "queue_unreachable": ("Redis can't be reached", "Redis can be reached again"),
    "queue_unreplicated": (
        "too few replicas of Redis have each message on disk",
        "enough replicas of Redis have each message on disk again",
    ),
    "queue_unfit": ("Redis can lose accepted messages", "Redis can no longer lose accepted messages"),
    "queue_full": ("the queue is full", "the queue has room again"),
    "queue_memory": ("Redis has no memory left", "Redis has memory again"),
    "consumer_unreachable": ("no consumer can be reached", "a consumer can be reached again"),
    "nothing_arrives": ("no message arrives", "messages arrive again"),
    "clocks_differ": ("messages arrive before they were sent: clocks differ", "clocks agree again"),
}
"""How the log names the begin and the end of each condition."""


def service_events(log: EventLog, services: Iterable[Service], at_ns: int) -> None:
    """Starts, restarts, stops, and heartbeats that end and come back."""
    for one in services:
        if one.silent:
            _record_silence(log, one, at_ns)
            continue
        service_start(log, one.name, one.started_ns)
        if one.state == STOPPED:
            log.add(Event(one.since_ns, "service", f"{one.name} stopped", f"stop:{one.name}:{one.since_ns}"))
        else:  # if the same process was silent, it no longer is
            log.end(f"silent:{one.name}:{one.started_ns}:", at_ns, f"{one.name} sends its heartbeat again")


def _record_silence(log: EventLog, one: Service, at_ns: int) -> None:
    if one.silent_for_ns < LASTING_NS or at_ns - one.at_ns > LONG_GONE_NS:
        return
    text = f"{one.name} has sent no heartbeat since {token(one.at_ns)}"
    event_id = f"silent:{one.name}:{one.started_ns}:{one.at_ns}"
    log.add(Event(at_ns, "unavailable", text, event_id))


def service_start(log: EventLog, name: str, started_ns: int, *, own: bool = False) -> None:
    """The start of a service; ``own``: of this one."""
    event_id = f"start:{name}:{started_ns}"
    if event_id in log:
        return
    known = log.having(f"start:{name}:")
    if known and known[-1].at_ns >= started_ns:
        return
    stopped = log.having(f"stop:{name}:")
    again = known and not (stopped and stopped[-1].at_ns > known[-1].at_ns)
    text = f"{name} {'restarted' if again else 'started'}"
    log.add(Event(started_ns, "service", text, event_id, own=own))


def redis_start(log: EventLog, server: ServerInfo, at_ns: int) -> None:
    """A start of the Redis server, known by the id that it gives itself at each start."""
    event_id = f"redis:{server.run_id}"
    if server.run_id and event_id not in log:
        text = "Redis restarted" if log.having("redis:") else "Redis started"
        log.add(Event(at_ns - server.uptime_s * NS_PER_S, "service", text, event_id))


def run_events(log: EventLog, runs: Sequence[RunFigures]) -> None:
    """Runs that began since the last one that the log knows; of an unknown past only the newest."""
    known = log.having("run:")
    since_ns = known[-1].at_ns if known else None
    for run in reversed(runs if since_ns is not None else runs[:1]):
        if since_ns is None or run.first_arrived_ns > since_ns:
            is_producers = sender(run.run) == "producer"
            text = "producer started a new run" if is_producers else f"new run {label(run.run)}"
            log.add(Event(run.first_arrived_ns, "run", text, f"run:{run.run}"))


class ConditionEvents:
    """The begin and the end of each condition."""

    def __init__(self, log: EventLog, began_ns: int) -> None:
        self._log = log
        self._began_ns = began_ns
        self._open: dict[str, tuple[str, int]] = {}  # code → id of its newest event, since when
        self._unconfirmed: set[str] = set()  # codes that are known only from the log of before

    def restore(self) -> dict[str, int]:
        """Conditions that were open when the log was written last, each with when it began."""
        for event in self._log.having("condition:"):
            code, since_ns = event.id.split(":")[1:3]
            if event.id.endswith(END):
                self._open.pop(code, None)
            elif code not in self._open:
                self._open[code] = (event.id, int(since_ns))
        self._unconfirmed = set(self._open)
        return {code: since_ns for code, (_, since_ns) in self._open.items()}

    def update(
        self,
        at_ns: int,
        conditions: Sequence[Condition],
        *,
        covered: Collection[str] = (),
        lost: int = 0,
        named: bool = True,
    ) -> None:
        """The conditions of this moment.

        Args:
            covered: codes of conditions whose begin is in the log already, as another event.
            lost: how many messages can't be found; each larger number is an event of its own.
            named: whether the numbers of lost messages are known.
        """
        for one in conditions:
            if one.code == "unaccounted":
                self._record_loss(one, at_ns, lost, named=named)
            elif one.code not in {*self._open, *covered} and not self._is_pause(one, at_ns):
                text = _CONDITIONS[one.code][0]
                self._begin(one, one.since_ns, "unavailable", text, f"condition:{one.code}:{one.since_ns}")
        self._unconfirmed -= {one.code for one in conditions}
        over = self._open.keys() - {one.code for one in conditions}
        for code in sorted(over):
            self._end(code, at_ns)

    def _is_pause(self, one: Condition, at_ns: int) -> bool:
        return one.code == "nothing_arrives" and at_ns - one.since_ns < QUIET_NS

    def _record_loss(self, one: Condition, at_ns: int, lost: int, *, named: bool) -> None:
        if named or at_ns - one.since_ns >= SEARCH_NS:
            event_id = f"condition:unaccounted:{one.since_ns}:{lost}"
            self._begin(one, at_ns, "loss", one.text, event_id)

    def _begin(self, one: Condition, at_ns: int, kind: str, text: str, event_id: str) -> None:
        self._log.add(Event(at_ns, kind, text, event_id))
        self._open[one.code] = (event_id, one.since_ns)

    def _end(self, code: str, at_ns: int) -> None:
        event_id, since_ns = self._open[code]
        unconfirmed = code in self._unconfirmed
        if unconfirmed and at_ns - self._began_ns < SETTLED_NS:
            return
        del self._open[code]
        seconds = round((at_ns - since_ns) / NS_PER_S)
        text = _CONDITIONS[code][1] + ("" if unconfirmed else f", after {seconds} s")
        self._log.add(Event(at_ns, "recovered", text, f"{event_id}{END}"))
