"""What each service reports of itself in Redis: its state, since when, why, and that it is alive."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import msgspec
from redis import Redis

from pipeline.clock import NS_PER_S
from pipeline.queue import keys

State = Literal[
    "ok",
    "starting",
    "store_unwritable",
    "queue_full",
    "queue_memory",
    "queue_unreachable",
    "queue_unreplicated",
    "queue_unfit",
    "stopped",
]

KEPT_NS = 24 * 3_600 * NS_PER_S
"""A service that no longer reports is remembered for this long."""

MAX_SERVICES = 1_000
"""Services that are kept; each container has a new name."""

# The HDEL comes first: a Redis that is out of memory rejects a script that begins with HSET.
_REPORT = """
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
"""


@dataclass(frozen=True, slots=True)
class ServiceState:
    """A service's last report. All times are the service's clock, Unix nanoseconds."""

    name: str
    started_ns: int
    state: State
    since_ns: int
    """Since when it is in this state."""
    reason: str = ""
    """Human-readable reason; empty where all is well."""
    at_ns: int = 0
    """When it reported; a running service reports once a second."""
    last_write_ns: int | None = None
    """Its last successful write: a worker's to the store, a consumer's to the queue."""


def report(redis: Redis, state: ServiceState) -> None:
    """Replace what is known of the service. Raises redis.RedisError."""
    redis.eval(_REPORT, 1, keys.STATES, state.name, msgspec.json.encode(state))


def parse(reports: Iterable[bytes], *, now_ns: int | None = None) -> list[ServiceState]:
    """The services that reported within ``KEPT_NS``, by name, from the values of ``keys.STATES``."""
    oldest_ns = (time.time_ns() if now_ns is None else now_ns) - KEPT_NS
    states = map(_decoded, reports)
    return sorted((s for s in states if s and s.at_ns > oldest_ns), key=lambda state: state.name)


def prune(redis: Redis, *, now_ns: int | None = None) -> None:
    """Delete services that did not report for ``KEPT_NS``, all but ``MAX_SERVICES``, and ``keys.RETIRED``.

    Raises redis.RedisError.
    """
    oldest_ns = (time.time_ns() if now_ns is None else now_ns) - KEPT_NS
    redis.delete(*keys.RETIRED)
    raw = redis.hgetall(keys.STATES)
    at_ns = {name: known.at_ns if (known := _decoded(text)) else 0 for name, text in raw.items()}
    newest = sorted(at_ns, key=at_ns.__getitem__)[-MAX_SERVICES:]
    gone = [name for name, ns in at_ns.items() if ns <= oldest_ns or name not in newest]
    if gone:
        redis.hdel(keys.STATES, *gone)


_decoder = msgspec.json.Decoder(ServiceState)


def _decoded(raw: bytes | str) -> ServiceState | None:
    """None where the text is none of ours."""
    try:
        return _decoder.decode(raw)
    except msgspec.DecodeError:
        return None
