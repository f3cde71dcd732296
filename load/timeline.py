"""A run by the second: requests by the second in which they were due."""

from dataclasses import asdict, dataclass
from typing import Any

from load.latency import Latencies
from load.measurements import US_PER_S, Measurements


@dataclass(frozen=True, slots=True)
class Second:
    """One second of a run, in messages."""

    second: int
    due: int
    acknowledged: int
    p50_ms: float | None
    p99_ms: float | None
    max_ms: float | None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def by_second(measured: Measurements) -> list[Second]:
    """All seconds of a run, in order."""
    found: list[Second] = []
    requests = range(len(measured.latency_us))
    first = 0
    second = 0
    while first < len(requests):
        following = min(len(requests), measured.schedule.next_after((second + 1) * US_PER_S * 1_000 - 1))
        found.append(_second(measured, second, range(first, following)))
        first, second = following, second + 1
    return found


def _second(measured: Measurements, second: int, requests: range) -> Second:
    latencies = Latencies()
    due = acknowledged = 0
    for request in requests:
        messages = len(measured.schedule.numbers(request))
        due += messages
        acknowledged += messages if measured.acknowledged[request] else 0
        latencies.add(measured.latency_us[request], messages)
    return Second(second, due, acknowledged, latencies.ms(50), latencies.ms(99), latencies.ms(100))
