"""Events: what happened to services, runs and conditions, each once and at its own time.

The last events are kept in Redis, so that they outlive this process (``web.event_store``). An event has an
identity that follows from what happened, not from who noticed it; the same identity is never added twice.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.clock import NS_PER_S

MAX_EVENTS = 50
"""Events that are kept."""

END = ":end"
"""Behind the identity of what lasts: the identity of its end."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened."""

    at_ns: int
    kind: str
    """``service``, ``run``, ``unavailable``, ``recovered`` or ``loss``."""
    text: str
    """Moments in it are as ``web.moments`` describes."""
    id: str = ""
    """What happened, such as ``start:worker-1:<ns>``; parts are separated by colons."""
    own: bool = False
    """Whether only this process knows of it."""


class EventLog:
    """The newest ``MAX_EVENTS`` events."""

    def __init__(self) -> None:
        self._events: dict[str, Event] = {}
        self._pending: dict[str, Event] = {}
        self._having: dict[str, tuple[Event, ...]] = {}  # what ``having`` has found since the last change
        self._merged: tuple[Iterable[Event], bool] | None = None  # by the last ``merge``

    @property
    def events(self) -> tuple[Event, ...]:
        """The last events, oldest first."""
        return tuple(self._events.values())

    @property
    def pending(self) -> tuple[Event, ...]:
        """Events that Redis does not have yet."""
        return tuple(self._pending.values())

    def __contains__(self, event_id: str) -> bool:
        return event_id in self._events

    def having(self, prefix: str) -> tuple[Event, ...]:
        """The events whose identity begins with ``prefix``, oldest first."""
        found = self._having.get(prefix)
        if found is None:
            found = tuple(event for key, event in self._events.items() if key.startswith(prefix))
            self._having[prefix] = found
        return found

    def open(self, prefix: str) -> Event | None:
        """The newest of these events, if its end has not been added; after a clock was set back that one is
        earlier."""
        begins = (event for event in reversed(self.having(prefix)) if not event.id.endswith(END))
        begin = next(begins, None)
        return begin if begin and f"{begin.id}{END}" not in self._events else None

    def end(self, prefix: str, at_ns: int, text: str) -> None:
        """Add the end of the event that is ``open``: ``text``, and how long it took since the moment (ns)
        that its identity ends with.
        """
        if begin := self.open(prefix):
            seconds = round((at_ns - int(begin.id.rpartition(":")[2])) / NS_PER_S)
            self.add(Event(at_ns, "recovered", f"{text}, after {seconds} s", f"{begin.id}{END}"))

    def add(self, event: Event) -> None:
        """Add an event, unless it is known."""
        if event.id not in self._events:
            self._pending[event.id] = event
            self._keep([event])

    def merge(self, stored: Iterable[Event], *, writes: bool) -> None:
        """The events that Redis has. Unless this replica ``writes`` them, they replace what it added."""
        if not self._pending and self._merged and self._merged[0] is stored and self._merged[1] == writes:
            return
        self._merged = stored, writes
        kept = {event.id: event for event in stored}
        self._pending = {
            key: event for key, event in self._pending.items() if key not in kept and (writes or event.own)
        }
        if not writes:
            self._replace(dict(self._pending))
        self._keep(kept.values())

    def _keep(self, events: Iterable[Event]) -> None:
        merged = self._events | {event.id: event for event in events}
        if merged == self._events:
            return
        newest = sorted(merged.values(), key=lambda event: (event.at_ns, event.id))[-MAX_EVENTS:]
        self._replace({event.id: event for event in newest})
        self._pending = {key: event for key, event in self._pending.items() if key in self._events}

    def _replace(self, events: dict[str, Event]) -> None:
        self._events, self._having = events, {}
