"""Messages with mixed outcomes through Redis, workers that are killed, and SQLite: is the ledger exact?

    python -m bench.ledger [--messages 1000000] [--seed 1]

Messages are accepted, sent again at once, sent again after the dedupe window, refused while the queue is
full, rejected by the database, requeued and dropped. All the while a worker is killed every second or two,
and Redis twice a minute. Four times a second the ledger is compared with the database as the page does it,
and must not raise its alarm. At the end a row and a job are deleted by hand, and have to be named.
"""

import argparse
import json
import random
import sqlite3
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from redis import Redis, RedisError

from consumer.enqueuer import Enqueuer
from consumer.rejections import QueueFull, QueueUnavailable
from pipeline.clock import NS_PER_S
from pipeline.queue import job_search, keys, ledger
from pipeline.store import StoreUnavailable
from pipeline.store.sqlite import SqliteStore
from tests.support.batches import arrival
from tests.support.redis_server import RedisServer
from tests.support.waiting import until
from tests.support.workers import WorkerProcess
from web.ledger import DiscrepancyWatch, Reconciler
from worker.rq_failed import FailedJobs

BATCH = 100
IDLE_S = 120.0
RUN = 100_000
"""Messages of a run."""

QUEUE_LIMIT = 20_000
REJECTED = """
CREATE TRIGGER reject BEFORE INSERT ON message WHEN NEW.number % 997 = 7
BEGIN SELECT RAISE(ABORT, 'rejected by the bench'); END
"""


class Site:
    """Redis, two workers and a database in ``directory``."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.database = directory / "messages.db"
        self.server = RedisServer(directory)
        self.server.start()
        self.redis = self.server.client()
        self.workers = {name: self._worker(name) for name in ("worker-1", "worker-2")}
        self.fates: Counter[str] = Counter()

    def restart_worker(self, name: str) -> None:
        self.workers[name].kill()
        self.workers[name] = self._worker(name)
        self.fates["workers killed"] += 1

    def restart_redis(self) -> None:
        self.server.kill()
        self.server.start()
        self.fates["redis killed"] += 1

    def execute(self, statement: str) -> None:
        with closing(sqlite3.connect(self.database, timeout=30)) as database, database:
            database.execute(statement)

    def end(self) -> None:
        for worker in self.workers.values():
            worker.kill()
        self.server.kill()

    def _worker(self, name: str) -> WorkerProcess:
        return WorkerProcess(self.directory, self.server.url, name)


class Auditor:
    """Compares the ledger with the database, as the page does."""

    def __init__(self, site: Site) -> None:
        self._redis = site.server.client()
        self._redis.hset(keys.LEDGER, "baseline", 0)
        self._store = SqliteStore(site.database)
        self._reconciler = Reconciler()
        self._watch = DiscrepancyWatch()
        self.longest_s = 0.0
        """The longest that readings differed one after the other."""
        self.readings = self.alarms = 0

    def check(self) -> None:
        try:
            if self._reconciler.is_in_doubt:
                self._reconciler.confirm(ledger.read(self._redis, []))
            queue = ledger.read(self._redis, [])
            difference = self._reconciler.update(queue, self._store.totals().stored).unaccounted
        except (RedisError, OSError, StoreUnavailable):
            difference = None
        self.readings += difference is not None
        at_ns = time.time_ns()
        self.alarms += self._watch.update(at_ns, difference) is not None
        if self._watch.began_ns is not None:
            self.longest_s = max(self.longest_s, (at_ns - self._watch.began_ns) / NS_PER_S)


def every(
    period_s: Callable[[], float], act: Callable[[], object], stop: threading.Event
) -> threading.Thread:
    def run() -> None:
        while not stop.wait(period_s()):
            act()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def send(site: Site, messages: int, chance: random.Random) -> set[tuple[str, int]]:
    """Send them all; returns those that were acknowledged."""
    enqueuer = Enqueuer(site.server.client(), "consumer-1", queue_limit=QUEUE_LIMIT, dedupe_window_s=3_600)
    acknowledged: set[tuple[str, int]] = set()
    for first in range(0, messages, BATCH):
        run, number = f"run-{first // RUN}", first % RUN
        accept(site, enqueuer, run, number)
        acknowledged.update((run, n) for n in range(number, number + BATCH))
        if chance.random() < 0.05:
            accept(site, enqueuer, run, number)
            site.fates["sent again at once"] += BATCH
        if chance.random() < 0.01:
            old = chance.randrange(0, number + 1, BATCH)
            site_forget(site, run, old)
            accept(site, enqueuer, run, old)
            site.fates["sent again after the window"] += BATCH
    return acknowledged


def site_forget(site: Site, run: str, number: int) -> None:
    """The dedupe window of a block passes."""
    while True:
        try:
            site.redis.delete(keys.arrivals(run, number // keys.ARRIVALS_BLOCK))
        except (RedisError, OSError):
            time.sleep(0.1)
        else:
            return


def accept(site: Site, enqueuer: Enqueuer, run: str, number: int) -> None:
    while True:
        now_ns = time.time_ns()
        try:
            enqueuer.accept([arrival(number + n, run, now_ns + n, 3) for n in range(BATCH)])
        except QueueFull:
            site.fates["refused"] += BATCH
            time.sleep(0.02)
        except QueueUnavailable:
            site.fates["unknown, sent again"] += BATCH
            time.sleep(0.05)
        else:
            return


def care_for_failed(site: Site, chance: random.Random) -> None:
    """Some failed jobs are queued again, some are dropped."""
    registry = FailedJobs(site.server.client())
    try:
        jobs = registry.all()
        site.fates["jobs requeued"] += len(registry.requeue(chance.sample(jobs, len(jobs) // 4)))
        site.fates["jobs dropped"] += len(registry.drop(chance.sample(jobs, len(jobs) // 8)))
    except (RedisError, OSError):
        return


def is_idle(redis: Redis) -> bool:
    try:
        return ledger.read(redis, []).jobs == 0
    except (RedisError, OSError):
        return False


def measure(site: Site, messages: int, seed: int) -> dict[str, object]:
    """The whole bench; its figures."""
    chance = random.Random(seed)
    enqueuer = Enqueuer(site.redis, "consumer-1", queue_limit=QUEUE_LIMIT, dedupe_window_s=3_600)
    accept(site, enqueuer, "first", 0)
    until(lambda: is_idle(site.redis), IDLE_S, "the queue does not become idle")
    site.execute(REJECTED)
    auditor, stop = Auditor(site), threading.Event()
    kills = random.Random(seed + 1)
    threads = [
        every(lambda: 0.25, auditor.check, stop),
        every(
            lambda: kills.uniform(0.7, 2.0),
            lambda: site.restart_worker(kills.choice(sorted(site.workers))),
            stop,
        ),
        every(lambda: kills.uniform(20, 40), site.restart_redis, stop),
        every(lambda: 5.0, lambda: care_for_failed(site, kills), stop),
    ]
    began_s = time.monotonic()
    acknowledged = send(site, messages, chance)
    sent_s = time.monotonic() - began_s
    stop.set()
    for thread in threads:
        thread.join()
    until(lambda: is_idle(site.redis), IDLE_S, "the queue does not become idle")
    site.execute("DROP TRIGGER reject")
    registry = FailedJobs(site.redis)
    registry.requeue(registry.all()[::2])
    until(lambda: is_idle(site.redis), IDLE_S, "the queue does not become idle")
    return figures(site, auditor, len(acknowledged) + BATCH, sent_s) | by_hand(site, enqueuer)


def figures(site: Site, auditor: Auditor, acknowledged: int, sent_s: float) -> dict[str, object]:
    read = ledger.read(site.redis, [f"run-{n}" for n in range(100)], recent=100)
    store = SqliteStore(site.database)
    stored = {run.run: run.stored for run in store.runs(1_000)}
    with closing(sqlite3.connect(site.database)) as database:
        ((rows,),) = database.execute("SELECT count(*) FROM message").fetchall()
    wrong = [
        run.run
        for run in read.runs.values()
        if run.accepted is not None and run.accepted != stored.get(run.run, 0) + run.waiting + run.failed
    ]
    return {
        "acknowledged": acknowledged,
        "accepted": read.registered,
        "stored": sum(stored.values()),
        "rows": rows,
        "waiting": read.waiting,
        "failed": read.failed,
        "unaccounted": read.registered - sum(stored.values()) - read.waiting - read.failed,
        "runs_with_a_difference": wrong,
        "readings": auditor.readings,
        "longest_difference_s": round(auditor.longest_s, 2),
        "false_alarms": auditor.alarms,
        "seconds": round(sent_s, 1),
        "fates": dict(site.fates),
    }


def by_hand(site: Site, enqueuer: Enqueuer) -> dict[str, object]:
    """Delete a row and a job; which numbers are named, and within how many seconds."""
    with closing(sqlite3.connect(site.database)) as database, database:
        database.execute("DELETE FROM message WHERE run = 'first' AND number = 57")
    for worker in site.workers.values():
        worker.kill()
    began_s = time.monotonic()
    accept(site, enqueuer, "last", 0)
    for job in site.redis.lrange(keys.RQ_QUEUE, 0, -1):
        site.redis.delete(keys.RQ_JOB.encode() + job)  # type: ignore[operator]
    store = SqliteStore(site.database)
    holes = store.holes("first", 10)
    named = {
        "first": job_search.lost_numbers(site.redis, "first", (n for a, b in holes for n in range(a, b + 1))),
        "last": len(job_search.lost_numbers(site.redis, "last", range(2 * BATCH))),
    }
    return {"named": named, "named_within_s": round(time.monotonic() - began_s, 3)}


def main() -> None:
    """Run it and print the figures as JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ledger-") as directory:
        site = Site(Path(directory))
        try:
            print(json.dumps(measure(site, wanted.messages, wanted.seed), indent=2))
        finally:
            site.end()


if __name__ == "__main__":
    main()
