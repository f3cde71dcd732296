"""What is wrong now: one list, worst first, for the page, ``stats``, ``status`` and the event log.

Each condition has a check of its own, which reads what services report of themselves and what this service
sees. No check depends on another one, so no condition hides another. While Redis can't be read, what services
reported last still counts: its end could not be seen.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pipeline.clock import NS_PER_S
from web.condition_texts import STALE_NS, last_report, memory_is_freed, messages, named, ready, waiting
from web.moments import token
from web.observation import Observation
from web.services import of_kind

FIRST_REPORT_NS = 5 * NS_PER_S
"""A worker that never reported may need this long for its first report."""

SETTLED_NS = 7 * NS_PER_S
"""So long after its start this service has seen all conditions that apply."""


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that is wrong."""

    code: str
    text: str
    """A sentence that says what happens to the messages meanwhile; moments as ``web.moments`` describes."""
    since_ns: int


@dataclass(frozen=True, slots=True)
class _Found:
    """A condition that applies; without ``since_ns`` it began when it was first seen."""

    text: str
    since_ns: int | None = None


def _unaccounted(seen: Observation) -> _Found | None:
    found = seen.discrepancy
    if found is None:
        return None
    if found.messages < 0:
        text = (
            f"{messages(-found.messages)} more stored than accepted: another program wrote to the database, "
            "or Redis lost what it had counted. No accepted message is missing."
        )
        return _Found(text, found.since_ns)
    text = (
        f"{messages(found.messages, 'accepted message')} can't be found: not stored, not waiting, not failed"
        f"{named(seen.lost)}. Nothing will store {'it' if found.messages == 1 else 'them'}."
    )
    return _Found(text, found.since_ns)


def _store_unreadable(seen: Observation) -> _Found | None:
    if seen.store_error is None:
        return None
    return _Found(
        f"{seen.store_error}. Totals are the last known ones. Messages are accepted as before and wait in "
        "Redis where they can't be stored."
    )


def _store_unwritable(seen: Observation) -> _Found | None:
    workers = [one for one in of_kind(seen.services, "worker") if one.state == "store_unwritable"]
    if not workers:
        return None
    first = min(workers, key=lambda one: one.since_ns)
    names = ", ".join(sorted(one.name for one in workers))
    return _Found(
        f"The database can't be written; {names} reports: {first.reason}. {waiting(seen)} "
        "Messages are accepted as before and stored when it can be written again.",
        first.since_ns,
    )


def _worker_silent(seen: Observation) -> _Found | None:
    workers = of_kind(seen.services, "worker")
    if not seen.waiting or any(one.works and not one.paused for one in workers):
        return None
    if not workers and seen.at_ns - seen.began_ns < FIRST_REPORT_NS:
        return None
    if any(one.works for one in workers):
        return _Found(
            f"No worker stores messages: {workers[0].name} is {workers[0].reason}. {waiting(seen)} "
            "Messages are accepted as before and stored after rq resume."
        )
    return _Found(
        f"No worker sends its heartbeat{last_report(workers)}. {waiting(seen)} Messages are accepted as "
        "before and stored when a worker runs again."
    )


def _queue_unreachable(seen: Observation) -> _Found | None:
    outcome = (
        "New messages are not accepted, and senders keep them; accepted ones wait on Redis's disk until it "
        "can be reached."
    )
    if seen.queue_error is not None:
        return _Found(f"{seen.queue_error}. {outcome}")
    if seen.refusal:
        return _Found(
            f"Redis refuses writes: {seen.refusal}. {waiting(seen)} New messages are not accepted "
            "(503), and senders keep them; what waits is stored when Redis can be written again."
        )
    for kind in ("consumer", "worker"):
        found = of_kind(seen.services, kind)
        if found and all(one.state == "queue_unreachable" for one in found):
            first = min(found, key=lambda one: one.since_ns)
            return _Found(f"{first.name} can't reach Redis: {first.reason}. {outcome}", first.since_ns)
    return None


def _queue_unreplicated(seen: Observation) -> _Found | None:
    refusal = "no replica answers its primary, which refuses every write" if seen.is_fenced else None
    reason, since_ns = _reason(seen, "queue_unreplicated", refusal)
    if reason is None:
        return None
    return _Found(
        f"Too few replicas of Redis have each message on disk: {reason}. {waiting(seen)} New messages are "
        "not accepted (503), and senders keep them; what waits is stored when enough replicas have it.",
        since_ns,
    )


def _queue_unfit(seen: Observation) -> _Found | None:
    reason, since_ns = _reason(seen, "queue_unfit", seen.unfit)
    if reason is None:
        return None
    return _Found(
        f"{reason}. {waiting(seen)} New messages are not accepted (503) until this is fixed; senders keep "
        "them.",
        since_ns,
    )


def _queue_full(seen: Observation) -> _Found | None:
    reason, since_ns = _reason(seen, "queue_full", None)
    if reason is None:
        return None
    return _Found(
        f"The queue is full: {reason}. {waiting(seen)} New messages are refused (429) until workers "
        "have stored some; senders keep them.",
        since_ns,
    )


def _queue_memory(seen: Observation) -> _Found | None:
    reason, since_ns = _reason(seen, "queue_memory", seen.memory_full)
    if reason is None:
        return None
    return _Found(
        f"Redis has no memory left: {reason}. {waiting(seen)} New messages are refused (429) until "
        f"{memory_is_freed(seen)}; senders keep them.",
        since_ns,
    )


def _consumer_unreachable(seen: Observation) -> _Found | None:
    consumers, gateways = of_kind(seen.services, "consumer"), of_kind(seen.services, "gateway")
    is_written = not (seen.refusal or seen.is_fenced)
    rest = "are stored as before" if is_written else "wait: Redis refuses writes, heartbeats too"
    outcome = f"New messages are not accepted, and senders keep them. Accepted ones {rest}."
    if consumers and not any(one.works for one in consumers):
        return _Found(f"No consumer sends its heartbeat{last_report(consumers)}. {outcome}")
    if gateways and not any(one.works for one in gateways):
        return _Found(f"No gateway reaches the consumer{last_report(gateways)}. {outcome}")
    return None


def _nothing_arrives(seen: Observation) -> _Found | None:
    if not seen.arrivals_known:
        return None
    if seen.last_arrived_ns is None:
        return _Found("No message has arrived yet.", seen.began_ns)
    if seen.at_ns - seen.last_arrived_ns < STALE_NS:
        return None
    since = token(seen.last_arrived_ns)
    return _Found(f"No message has arrived since {since}{ready(seen)}. {waiting(seen)}", seen.last_arrived_ns)


def _clocks_differ(seen: Observation) -> _Found | None:
    if seen.last_early_ns is None or seen.at_ns - seen.last_early_ns >= STALE_NS:
        return None
    return _Found(
        "Messages arrive before they were sent: the clocks of two services differ. Messages are stored as "
        "before; their transmission times are wrong by the difference."
    )


_CHECKS: Mapping[str, Callable[[Observation], _Found | None]] = {
    "unaccounted": _unaccounted,
    "store_unreadable": _store_unreadable,
    "store_unwritable": _store_unwritable,
    "worker_silent": _worker_silent,
    "queue_unreachable": _queue_unreachable,
    "queue_unreplicated": _queue_unreplicated,
    "queue_unfit": _queue_unfit,
    "queue_full": _queue_full,
    "queue_memory": _queue_memory,
    "consumer_unreachable": _consumer_unreachable,
    "nothing_arrives": _nothing_arrives,
    "clocks_differ": _clocks_differ,
}

CODES = tuple(_CHECKS)
"""All codes, worst first."""

MINOR = frozenset({"nothing_arrives", "clocks_differ"})
"""Conditions that need not be a fault."""


class Conditions:
    """The conditions of this moment, and since when each of them applies."""

    def __init__(self) -> None:
        self._since_ns: dict[str, int] = {}
        self._restored: dict[str, int] = {}

    def restore(self, since_ns: Mapping[str, int]) -> None:
        """Since when conditions have applied that were known before this process began."""
        self._restored = dict(since_ns)

    def update(self, seen: Observation) -> tuple[Condition, ...]:
        """The conditions that apply now, worst first."""
        found = {code: what for code, check in _CHECKS.items() if (what := check(seen))}
        self._since_ns = {
            code: self._restored.get(code) or self._since_ns.get(code, what.since_ns or seen.at_ns)
            for code, what in found.items()
        }
        if seen.at_ns - seen.began_ns > SETTLED_NS:  # what has not been seen again by now was over
            self._restored = {code: ns for code, ns in self._restored.items() if code in found}
        return tuple(Condition(code, what.text, self._since_ns[code]) for code, what in found.items())


def _reason(seen: Observation, state: str, own: str | None) -> tuple[str | None, int | None]:
    """Why the consumers are in this state, and since when (ns), if all are: else one accepts messages.

    Without that, what this service has read itself, ``own``, and no moment.
    """
    consumers = of_kind(seen.services, "consumer")
    if not consumers or any(one.state != state for one in consumers):
        return own, None
    first = min(consumers, key=lambda one: one.since_ns)
    return first.reason, first.since_ns
