"""The services as they report themselves, and which of them have fallen silent."""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache

from pipeline.clock import NS_PER_S
from pipeline.queue.service_state import ServiceState

SILENT_NS = 19 * NS_PER_S // 10
"""A service that reports each second and has not for this long is silent. With a reading a second this is
noticed within 3 s of its last report."""

RELAY_NS = 2 * NS_PER_S
"""A gateway reports through a consumer. It falls silent this much later, so that the consumer's silence is
known first; and while no consumer works, nothing is concluded about it."""

CONFIRMED_NS = 3 * NS_PER_S // 2
"""A report that was old already when it was first read must stay the same for this long."""

LAGS = 8
"""Reports whose delay until they are read is remembered: the shortest is nearest to the clock difference."""

STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Service(ServiceState):
    """One service: its last report, and whether it has fallen silent since."""

    silent: bool = False
    silent_for_ns: int = 0
    """How long ago its last report was, by this process's clock."""

    @property
    def kind(self) -> str:
        """``worker`` for ``worker-1``."""
        return _kind(self.name)

    @property
    def works(self) -> bool:
        """Whether it sends its heartbeat and was not stopped."""
        return not self.silent and self.state != STOPPED

    @property
    def paused(self) -> bool:
        """Whether it is well and does nothing: a worker during ``rq suspend``, its reason says so."""
        return self.state == "ok" and bool(self.reason)


class ServiceWatch:
    """Follows the reports of all services.

    Whether one is silent is measured by this process's clock. A report was made between the reading that has
    it first and the one before; where in between, its own time shows, less the difference of the two clocks
    that the last reports show. Of what was reported before this process began its own time is believed, with
    a second reading to make sure.
    """

    def __init__(self) -> None:
        self._seen: dict[str, tuple[ServiceState, int]] = {}  # the newest report, and when it was made
        self._lags_ns: dict[str, deque[int]] = {}  # of the last reports: first reading less its own time
        self._read_ns: int | None = None
        self.services: tuple[Service, ...] = ()
        """As they were at the last reading."""

    def update(self, at_ns: int, states: Iterable[ServiceState]) -> None:
        """A new reading of Redis."""
        if self._read_ns is not None and at_ns - self._read_ns > SILENT_NS:
            self._resume(at_ns)
        states = list(states)
        self._seen = {state.name: self._made(state, at_ns) for state in states}
        self._lags_ns = {name: lags for name, lags in self._lags_ns.items() if name in self._seen}
        self._read_ns = at_ns
        if not any(self._as_service(one, at_ns).works for one in states if _kind(one.name) == "consumer"):
            self._resume(at_ns, "gateway")
        self.services = tuple(self._as_service(state, at_ns) for state in states)

    def _as_service(self, state: ServiceState, at_ns: int) -> Service:
        limit_ns = SILENT_NS + (RELAY_NS if _kind(state.name) == "gateway" else 0)
        passed_ns = at_ns - self._seen[state.name][1]
        silent = passed_ns > limit_ns and state.state != STOPPED
        return Service(**asdict(state), silent=silent, silent_for_ns=passed_ns)

    def _made(self, state: ServiceState, at_ns: int) -> tuple[ServiceState, int]:
        known = self._seen.get(state.name)
        if known and known[0] == state:
            return known
        if self._read_ns is None:
            return state, max(min(state.at_ns, at_ns), at_ns - SILENT_NS + CONFIRMED_NS)
        lags_ns = self._lags_ns.setdefault(state.name, deque(maxlen=LAGS))
        lags_ns.append(at_ns - state.at_ns)
        return state, min(max(state.at_ns + min(lags_ns), self._read_ns), at_ns)

    def _resume(self, at_ns: int, kind: str = "") -> None:
        """For a while no service (of this kind) could report: give each time to do so."""
        silent = {service.name for service in self.services if service.silent}
        self._seen = {
            name: (state, seen_ns if name in silent or kind not in {"", _kind(name)} else at_ns)
            for name, (state, seen_ns) in self._seen.items()
        }


@lru_cache(maxsize=64)
def _kind(name: str) -> str:
    return name.partition("-")[0]


def of_kind(services: Sequence[Service], kind: str) -> tuple[Service, ...]:
    """The services of a kind that matter now: those that work, or all where none does."""
    found = tuple(service for service in services if service.kind == kind)
    return tuple(service for service in found if service.works) or found
