"""``docs/storage.md`` lists every key in Redis, and no other."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from redis import Redis

from pipeline.queue import keys
from pipeline.queue.state_reporter import StateReporter
from pipeline.store import MessageRejected
from tests.support.workers import FaultyStore, kill_while_writing, send, work

PAGE = Path(__file__).parents[2] / "docs" / "storage.md"
_ROW = re.compile(r"^\| `([a-z][^`]*)` \| (list|set|sorted set|hash|stream|string|integer) \|", re.MULTILINE)
_PLACE = re.compile(r"[A-Z]{2,}")
RQ_ONLY = {"rq:queues"}
"""Written by RQ itself, and read by nothing of ours."""
_TYPES = {"zset": {"sorted set"}, "string": {"string", "integer"}}
"""Of Redis's names of types, those that the page calls otherwise."""


def documented() -> dict[str, str]:
    """The type of each documented key, by its name with the variable parts in capitals."""
    text = PAGE.read_text().partition("\n## Redis\n")[2]
    return dict(_ROW.findall(text))


def matches(pattern: str, key: str) -> bool:
    parts = [re.escape(part) for part in _PLACE.split(pattern)]
    return re.fullmatch(".+".join(parts), key) is not None


def find(key: str) -> Iterator[str]:
    """The documented type of a key: of the pattern with the most literal text."""
    fitting = [pattern for pattern in documented() if matches(pattern, key)]
    for pattern in sorted(fitting, key=lambda one: -len(_PLACE.sub("", one)))[:1]:
        yield documented()[pattern]


def declared() -> set[str]:
    """Whole keys and prefixes of keys that the product uses."""
    names = {name: value for name, value in vars(keys).items() if name.isupper() and isinstance(value, str)}
    no_keys = {keys.LUA_PREFIXES, keys.RQ_WORKER_EXECUTIONS, keys.DROPPED}
    built = {keys.arrivals_prefix("x")[:-2], keys.rq_worker_executions("X")}
    whole = {value for value in names.values() if ":" in value and "*" not in value and value not in no_keys}
    return whole | built


def test_every_declared_key_is_documented_and_every_documented_one_declared() -> None:
    literal = {_PLACE.sub("X", pattern) for pattern in documented()}
    assert {
        key for key in declared() if not any(one == key or one.startswith(f"{key}X") for one in literal)
    } == set()
    assert {one for one in literal - RQ_ONLY if not any(one.startswith(key) for key in declared())} == set()


def test_every_key_in_a_redis_at_work_is_documented_with_its_type(redis: Redis, tmp_path: Path) -> None:
    store = FaultyStore(tmp_path / "messages.db")
    StateReporter(redis, "worker-1").report(("ok", "", None))
    send(redis, [57])
    redis.rpush(keys.RQ_QUEUE, "gone")
    store.fault = lambda batches: (_ for _ in ()).throw(MessageRejected("never"))
    work(redis, store)
    send(redis, [58])
    kill_while_writing(redis, store)
    send(redis, [59])
    store.close()
    found = {
        key.decode(): cast("bytes", redis.type(key)).decode()
        for key in cast("list[bytes]", list(redis.scan_iter()))
    }
    kinds = {key: next(find(key), "not documented") for key in found}
    assert {
        key: kind for key, kind in kinds.items() if kind not in _TYPES.get(found[key], {found[key]})
    } == {}
    for prefix in (keys.RQ_JOB, keys.RQ_FAILED, keys.RQ_STARTED, keys.LOST_JOBS, keys.RQ_EXECUTION):
        assert any(key.startswith(prefix) for key in found), prefix
