"""The event log in Redis: a bounded list that one replica of this service writes and all read."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pipeline.clock import NS_PER_MS
from pipeline.queue import keys
from web.event_log import MAX_EVENTS, Event

LEASE_MS = 30_000
"""The replica that writes renews its claim in half this time; another one replaces it after that."""

# KEYS: the events, who writes them. ARGV: this replica, the lease in ms, how many events are kept, then for
# each new event its score, its text, and 1 if any replica may write it. Returns whether this replica writes,
# and the kept events as one text, with a character between them that JSON never has: it is compared with the
# text of a second ago. The first write needs no memory: so a full Redis still runs the script.
_EXCHANGE = """
local events, writer = KEYS[1], KEYS[2]
local known = redis.call('GET', writer)
local writes = (not known or known == ARGV[1]) and 1 or 0
if #ARGV > 3 or (writes == 1 and redis.call('PTTL', writer) < ARGV[2] / 2) then
  redis.call('ZREMRANGEBYRANK', events, 0, -ARGV[3] - 1)
  if writes == 1 then redis.call('SET', writer, ARGV[1], 'PX', ARGV[2]) end
  for i = 4, #ARGV, 3 do
    if writes == 1 or ARGV[i + 2] == '1' then redis.call('ZADD', events, ARGV[i], ARGV[i + 1]) end
  end
  redis.call('ZREMRANGEBYRANK', events, 0, -ARGV[3] - 1)
end
return {writes, table.concat(redis.call('ZRANGE', events, 0, -1), '\\0')}
"""


@dataclass(frozen=True, slots=True)
class StoredEvents:
    """The events that Redis has, oldest first."""

    events: tuple[Event, ...]
    writes: bool
    """Whether this replica is the one that writes them."""


def exchange(pipeline: Any, replica: str, pending: Sequence[Event]) -> None:
    """Queue the exchange on a redis-py pipeline: write ``pending``, if it is ours to write, and read all."""
    words = [word for event in pending for word in (event.at_ns // NS_PER_MS, _encode(event), int(event.own))]
    pipeline.eval(_EXCHANGE, 2, keys.EVENTS, keys.EVENTS_WRITER, replica, LEASE_MS, MAX_EVENTS, *words)


def parse(answer: Any) -> StoredEvents | None:
    """The answer to ``exchange``; None where Redis refused it."""
    if isinstance(answer, Exception):
        return None
    writes, members = answer
    return StoredEvents(_decode_all(members), bool(writes))


def _encode(event: Event) -> str:
    return json.dumps([event.at_ns, event.kind, event.text, event.id], separators=(",", ":"))


@lru_cache(maxsize=1)  # mostly the same as a second ago
def _decode_all(members: bytes) -> tuple[Event, ...]:
    return tuple(event for member in members.split(b"\0") if (event := _decode(member)))


@lru_cache(maxsize=2 * MAX_EVENTS)
def _decode(member: bytes) -> Event | None:
    """None where the member is of another version of this service."""
    try:
        at_ns, kind, text, event_id = json.loads(member)
        return Event(int(at_ns), str(kind), str(text), str(event_id))
    except (ValueError, TypeError):
        return None
