"""Which keys the Lua scripts touch, as Redis itself reports it (``MONITOR``)."""

from collections.abc import Callable
from pathlib import Path

from redis import Redis

from consumer.enqueuer import Enqueuer
from pipeline.message import ClockOffset
from pipeline.queue import keys
from tests.support.batches import NOON_NS, arrival
from tests.support.workers import FaultyStore, send, work


def commands(redis: Redis, action: Callable[[], object]) -> list[tuple[bool, list[str]]]:
    """The commands that Redis ran during ``action``: whether a script did it, and the words."""
    with redis.monitor() as monitor:  # type: ignore[no-untyped-call]
        action()
        redis.echo("the end")
        seen: list[tuple[bool, list[str]]] = []
        for command in monitor.listen():
            words = command["command"].split(" ")
            if words[0].upper() == "ECHO":
                return seen
            seen.append((command["client_type"] == "lua", words))
    raise AssertionError("no end")


def test_the_script_of_the_consumer_touches_the_keys_that_it_is_passed_and_no_other(redis: Redis) -> None:
    enqueuer = Enqueuer(redis, "consumer-1", queue_limit=1_000, dedupe_window_s=60)
    messages = [arrival(number, run, NOON_NS, 3) for run in ("run-1", "run-2") for number in (0, 1, 250)]
    clocks = [ClockOffset("run-3", 5, 7)]
    claims = [("run-1", "k:1"), ("run-4", "k:1")]
    seen = commands(redis, lambda: [enqueuer.accept(messages, clocks, claims=claims) for _ in range(2)])
    touched = {words[1] for by_script, words in seen if by_script and words[0] != "INFO"}  # it has no key
    assert {keys.WAITING, keys.RQ_QUEUE, keys.run("run-3"), keys.arrivals("run-2", 2)} <= touched
    declared: set[str] = set()
    for by_script, words in seen:
        first = next((i for i, word in enumerate(words) if word.startswith(keys.RQ_JOB)), None)
        if first and not by_script and words[0] == "EVAL":  # EVAL script count key …; the script has spaces
            declared.update(words[first : first + int(words[first - 1])])
    assert touched <= declared


def test_the_scripts_of_the_worker_touch_no_key_but_those_of_the_list(redis: Redis, tmp_path: Path) -> None:
    store = FaultyStore(tmp_path / "messages.db")
    send(redis, [0])
    redis.rpush(keys.RQ_QUEUE, "gone")
    send(redis, [1])
    seen = commands(redis, lambda: work(redis, store))
    store.close()
    touched = {words[1] for by_script, words in seen if by_script}
    whole = {value for name, value in vars(keys).items() if name.isupper() and isinstance(value, str)}
    prefixes = (keys.RQ_JOB, keys.RQ_RESULTS, keys.RQ_EXECUTIONS, keys.RQ_EXECUTION, keys.RQ_WORKER)
    assert {key for key in touched - whole if not key.startswith(prefixes)} == set()
    assert {keys.RQ_STARTED, keys.RQ_WORKERS, keys.LOST_JOBS, keys.rq_worker("worker-1")} <= touched
