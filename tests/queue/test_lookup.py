"""Runs and single messages, wherever they are: a real Redis, a real SQLite and real workers."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from rq.utils import as_text

from pipeline.message import Batch
from pipeline.queue import job_search, keys
from pipeline.store import MessageRejected, Store, StoreUnavailable
from tests.support.redis_server import RedisServer
from tests.support.workers import FaultyStore, kill_while_writing, send, work
from web.lookup import MAX_CALLS, Lookup, LookupFailed
from web.loss_search import LossSearch
from web.observation import LostNumbers


class Now:
    """Runs a call at once."""

    def spawn(self, call: Callable[[], Any]) -> Any:
        class Task:
            def get(self) -> Any:
                return call()

        return Task()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FaultyStore]:
    store = FaultyStore(tmp_path / "messages.db")
    yield store
    store.close()


@pytest.fixture
def lookup(redis: Redis, store: FaultyStore) -> Lookup:
    return Lookup(redis, store, Now())


def test_a_stored_message_has_every_moment_of_its_way(
    redis: Redis, store: FaultyStore, lookup: Lookup
) -> None:
    send(redis, range(3))
    work(redis, store)
    found = lookup.message("run-1", 1)
    assert (found.state, found.worker) == ("stored", "worker-1")
    assert [one.what for one in found.moments][:5] == ["sent", "gateway", "arrived", "persisted", "taken"]
    assert found.job


def test_a_message_that_waits_is_in_its_job(redis: Redis, lookup: Lookup) -> None:
    send(redis, range(3))
    found = lookup.message("run-1", 2)
    assert (found.state, found.worker) == ("waiting", None)
    assert [one.what for one in found.moments] == ["sent", "gateway", "arrived", "persisted"]
    assert found.job
    assert redis.exists(keys.rq_job(found.job))


def test_a_message_that_a_worker_holds_says_which(redis: Redis, store: FaultyStore, lookup: Lookup) -> None:
    send(redis, range(3))
    kill_while_writing(redis, store)
    found = lookup.message("run-1", 0)
    assert (found.state, found.worker) == ("held", "worker-1")
    assert [one.what for one in found.moments][-1] == "taken"


def test_a_failed_message_says_why(redis: Redis, store: FaultyStore, lookup: Lookup) -> None:
    def refuse(batches: Sequence[Batch]) -> None:
        raise MessageRejected("the value is too large")

    send(redis, [7])
    store.fault = refuse
    work(redis, store)
    found = lookup.message("run-1", 7)
    assert found.state == "failed"
    assert "the value is too large" in str(found.reason)
    assert [one.what for one in found.moments][-1] == "failed"
    run = lookup.run("run-1")
    assert run
    assert (run.accepted, run.failed, run.stored, run.lost) == (1, 1, 0, 0)


def test_a_message_that_nobody_knows_is_unknown(redis: Redis, lookup: Lookup) -> None:
    send(redis, range(3))
    assert lookup.message("run-1", 3).state == "unknown"
    assert lookup.message("run-2", 0).state == "unknown"


def test_a_message_whose_job_is_not_among_those_that_are_searched_waits(
    redis: Redis, store: FaultyStore, lookup: Lookup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_search, "MAX_JOBS", 2)
    for number in range(4):
        send(redis, [number])
    assert lookup.message("run-1", 1).job
    found = lookup.message("run-1", 3)
    assert (found.state, found.job, found.moments) == ("waiting", None, ())
    assert "only the oldest" in str(found.reason)
    never = lookup.message("run-1", 4)
    assert (never.state, never.reason) == ("unknown", found.reason)
    work(redis, store)
    assert lookup.message("run-1", 3).state == "stored"
    assert lookup.message("run-1", 4).reason is None


def test_number_zero_beyond_the_jobs_that_are_searched_waits_too(
    redis: Redis, lookup: Lookup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_search, "MAX_JOBS", 1)
    send(redis, range(3), run="before")
    send(redis, [0])
    assert lookup.message("run-1", 0).state == "waiting"


def test_a_message_that_is_stored_while_it_is_searched_for_is_found(
    redis: Redis, store: FaultyStore, lookup: Lookup, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(redis, [0])
    find = job_search.find

    def moves_meanwhile(*arguments: Any) -> Any:
        found = find(*arguments)
        work(redis, store)
        return found

    monkeypatch.setattr(job_search, "find", moves_meanwhile)
    assert lookup.message("run-1", 0).state == "stored"


def test_runs_are_listed_newest_arrival_first_stored_or_not(
    redis: Redis, store: FaultyStore, lookup: Lookup
) -> None:
    send(redis, range(10), run="old")
    work(redis, store)
    send(redis, range(5), run="new")
    new, old = lookup.runs()
    assert (new.run, new.accepted, new.stored, new.waiting, new.lost) == ("new", 5, 0, 5, 0)
    assert (old.run, old.accepted, old.stored, old.waiting, old.never_accepted) == ("old", 10, 10, 0, 0)
    assert lookup.run("new") == new
    assert lookup.run("other") is None


def test_numbers_that_were_never_accepted_are_not_lost(
    redis: Redis, store: FaultyStore, lookup: Lookup
) -> None:
    send(redis, [0, 1, 5])
    work(redis, store)
    run = lookup.run("run-1")
    assert run
    assert (run.never_accepted, run.lost) == (3, 0)


def test_while_redis_is_unavailable_the_database_answers_what_it_knows(
    own_redis: RedisServer, store: FaultyStore
) -> None:
    lookup = Lookup(own_redis.client(), store, Now())
    send(own_redis.client(), range(3))
    work(own_redis.client(), store)
    own_redis.kill()
    run = lookup.run("run-1")
    assert run
    assert (run.stored, run.accepted, run.lost) == (3, None, None)
    assert lookup.message("run-1", 0).state == "stored"
    with pytest.raises(LookupFailed, match="Redis can't be read"):
        lookup.message("run-1", 3)
    with pytest.raises(LookupFailed, match="Redis can't be read"):
        lookup.run("not stored")  # Redis may know it


def test_while_the_database_is_unavailable_the_error_is_reported(
    redis: Redis, lookup: Lookup, store: FaultyStore
) -> None:
    send(redis, range(3))
    work(redis, store)
    store.path.rename(store.path.with_suffix(".away"))
    for ask in (lookup.runs, lambda: lookup.run("run-1"), lambda: lookup.message("run-1", 0)):
        with pytest.raises(LookupFailed, match="The database can't be read"):
            ask()


def test_too_many_questions_at_once_are_refused(redis: Redis, store: FaultyStore) -> None:
    class Nested(Now):
        """Each call asks again while it runs."""

        def spawn(self, call: Callable[[], Any]) -> Any:
            depths.append(len(depths))
            return super().spawn(lookup.runs)

    depths: list[int] = []
    lookup = Lookup(redis, store, Nested())
    with pytest.raises(LookupFailed, match="wait already"):
        lookup.runs()
    assert len(depths) == MAX_CALLS


def test_a_row_and_a_job_that_are_gone_are_found_by_run_and_number(redis: Redis, store: FaultyStore) -> None:
    send(redis, range(100), run="a")
    work(redis, store)
    delete_rows(store, "run = 'a' AND number IN (41, 57)")
    send(redis, range(100, 103), run="a")
    send(redis, range(3), run="b")
    work(redis, store)
    send(redis, [103, 104], run="a")
    (job,) = (as_text(id_) for id_ in redis.lrange(keys.RQ_QUEUE, 0, -1))
    redis.delete(keys.rq_job(job))
    redis.delete(keys.RQ_QUEUE)
    assert LossSearch(redis, store).run() == (LostNumbers("a", 4, (41, 57, 103, 104)),)


def test_what_is_stored_during_the_search_is_not_lost(
    redis: Redis, store: FaultyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(redis, range(5))
    work(redis, store)
    delete_rows(store, "number = 2")
    send(redis, range(5, 9))
    holes = store.holes

    def stored_meanwhile(run: str, limit: int) -> Sequence[tuple[int, int]]:
        found = holes(run, limit)
        work(redis, store)
        return found

    monkeypatch.setattr(store, "holes", stored_meanwhile)
    assert LossSearch(redis, store).run() == (LostNumbers("run-1", 1, (2,)),)


def test_what_waits_is_held_or_failed_is_not_lost(redis: Redis, store: FaultyStore) -> None:
    send(redis, range(10))
    kill_while_writing(redis, store)
    send(redis, range(20, 30))
    assert LossSearch(redis, store).run() == ()


def test_a_search_that_can_not_be_done_says_so(redis: Redis, store: FaultyStore) -> None:
    send(redis, range(3))
    work(redis, store)
    store.path.rename(store.path.with_suffix(".away"))
    with pytest.raises(StoreUnavailable):
        LossSearch(redis, store).run()


def delete_rows(store: Store, where: str) -> None:
    assert isinstance(store, FaultyStore)
    with sqlite3.connect(store.path) as connection:
        connection.execute(f"DELETE FROM message WHERE {where}")
    connection.close()
