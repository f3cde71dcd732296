"""Throughput, latency and memory of one site."""

import time
from dataclasses import asdict, dataclass
from typing import Any

from bench import wrk
from bench.rivals import sending
from bench.rivals.limits import Limits
from bench.rivals.site import Site, stored_count

EVERY_S = 0.1


@dataclass(frozen=True, slots=True)
class Throughput:
    """What was accepted and stored of a flood."""

    connections: int
    accepted_per_s: float
    stored_per_s: float
    """Rows, from the first request until the last accepted message was stored, or the limit."""
    accepted: int
    stored: int
    refused: int
    p99_ms: float

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "all_stored": self.stored >= self.accepted}


def throughput(site: Site, connections: int, seconds: int, drain_s: float) -> Throughput:
    """Flood ``site`` for ``seconds``, then let it store what it accepted, for at most ``drain_s``."""
    run = sending.new_run()
    began_s = time.monotonic()
    flood = wrk.flood(site.target.gateway_url, run, connections, seconds)
    end_s = time.monotonic() + drain_s
    stored = stored_count(site.database, run)
    # wrk leaves when its time is up: up to a request per connection is stored that it did not count.
    while stored < flood.accepted and time.monotonic() < end_s:
        time.sleep(EVERY_S)
        stored = stored_count(site.database, run)
    return Throughput(
        connections=connections,
        accepted_per_s=round(flood.rate, 1),
        stored_per_s=round(stored / (time.monotonic() - began_s), 1),
        accepted=flood.accepted,
        stored=stored,
        refused=flood.refused + flood.failed,
        p99_ms=flood.p99_ms,
    )


def latency(site: Site, limits: Limits) -> dict[str, Any]:
    """From scheduled send to acknowledgement, open loop; and whether the rate was stored too."""
    run = sending.new_run()
    measured = sending.steady(site.target, run, limits.rate, limits.latency_s)
    stored = stored_count(site.database, run)
    return {
        "rate": limits.rate,
        "p50_ms": sending.latency_ms(measured, 50),
        "p99_ms": sending.latency_ms(measured, 99),
        "acknowledged": sum(measured.acknowledged),
        "planned": measured.schedule.messages,
        "stored_at_the_end": stored,
        "failed_attempts": dict(measured.failures.most_common()),
    }
