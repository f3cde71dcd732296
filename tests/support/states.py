"""What services report of themselves, as Redis has it."""

from typing import cast

from redis import Redis

from pipeline.queue import keys, service_state
from pipeline.queue.service_state import ServiceState


def read_states(redis: Redis, *, now_ns: int | None = None) -> list[ServiceState]:
    return service_state.parse(cast("list[bytes]", redis.hvals(keys.STATES)), now_ns=now_ns)
