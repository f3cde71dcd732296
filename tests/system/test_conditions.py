"""Faults caused on a running system: the page names each one within 3 s, and its end within 3 s."""

import os
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import OutOfMemoryError

from launcher.audit import PLACES
from tests.support.freezing import freeze
from tests.support.launched import HEALS_S, Launched
from tests.support.waiting import Stopwatch, awaited, until
from tests.system.conftest import NewSystem, remove_leftovers

pytestmark = pytest.mark.system
SAID_S = 3.0
BURST_S = 1.0
"""A fault shows by what becomes of the next burst."""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Of the database: a small file system of its own, if this process may mount one."""
    path = Path(tempfile.mkdtemp(prefix="database-"))
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(path)], check=False)
    yield path
    if mounted.returncode == 0:
        subprocess.run(["umount", "--lazy", str(path)], check=True)
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def system(folder: Path) -> Iterator[Launched]:
    root = Path(tempfile.mkdtemp(prefix="launched-"))
    database = str(folder / "messages.db")
    launched = Launched(root / "home", FIZZBUZZ_SQLITE_PATH=database, FIZZBUZZ_REDIS_MEMORY="16mb")
    try:
        launched.up()
        yield launched
    finally:
        remove_leftovers(root, launched)


Fault = Callable[[Launched, Path], AbstractContextManager[None]]


@contextmanager
def locked(system: Launched, folder: Path) -> Iterator[None]:
    with closing(sqlite3.connect(folder / "messages.db", isolation_level=None)) as database:
        database.execute("BEGIN EXCLUSIVE")
        yield


@contextmanager
def moved(system: Launched, folder: Path) -> Iterator[None]:
    files = [path for path in folder.iterdir() if path.name.startswith("messages.db")]
    for path in files:
        path.rename(f"{path}.away")
    yield
    for path in files:
        Path(f"{path}.away").rename(path)


@contextmanager
def full(system: Launched, folder: Path) -> Iterator[None]:
    if not folder.is_mount():
        pytest.skip("neither an ordinary user nor able to mount")
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):  # no space left
        while True:
            file.write(bytes(4096))
    yield
    filler.unlink()


@contextmanager
def read_only(system: Launched, folder: Path) -> Iterator[None]:
    """For a worker that opens the file again: open files keep what they may do."""
    if not folder.is_mount():
        pytest.skip("not able to mount")
    subprocess.run(["mount", "--bind", str(folder), str(folder)], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", str(folder)], check=True)
        system.kill(system.pids()["worker-1"])
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def without_memory(system: Launched, folder: Path) -> Iterator[None]:
    with Redis.from_url(system.redis_url("worker")) as redis:
        with suppress(OutOfMemoryError):
            while True:
                redis.append("rq:filler", bytes(100_000))
        try:
            yield
        finally:
            redis.delete("rq:filler")


def frozen(name: str) -> Fault:
    @contextmanager
    def cause(system: Launched, folder: Path) -> Iterator[None]:
        pid = system.pids()[name]
        freeze(pid)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    return cause


def codes(system: Launched) -> set[str]:
    return {one["code"] for one in system.stats()["conditions"]}


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        pytest.param(locked, {"store_unwritable"}, id="locked"),
        pytest.param(moved, {"store_unwritable", "store_unreadable"}, id="moved"),
        pytest.param(full, {"store_unwritable"}, id="full"),
        pytest.param(read_only, {"store_unwritable"}, id="read-only"),
        pytest.param(without_memory, {"queue_memory"}, id="memory"),
        pytest.param(frozen("worker-1"), {"worker_silent"}, id="worker"),
        pytest.param(frozen("redis"), {"queue_unreachable"}, id="redis"),
        pytest.param(frozen("consumer"), {"nothing_arrives", "consumer_unreachable"}, id="consumer"),
        pytest.param(frozen("producer"), {"nothing_arrives"}, id="producer"),
    ],
)
def test_a_fault_is_named_within_3_s_and_so_is_its_end(
    system: Launched, folder: Path, fault: Fault, expected: set[str]
) -> None:
    until(lambda: codes(system) == set(), HEALS_S, "all is well before")
    with fault(system, folder):
        took_s = until(lambda: codes(system) >= expected, HEALS_S, f"the page says {expected}")
        threading.Event().wait(3)  # what it says stays, and no other thing joins
        assert codes(system) >= expected
    watch = Stopwatch()
    until(lambda: codes(system) == set(), HEALS_S, "the page says that it is over")
    assert took_s <= SAID_S + BURST_S
    assert watch.seconds <= SAID_S
    ledger = awaited(
        lambda: system.stats()["ledger"], is_known, what="the figures of a reading that was in time"
    )
    assert ledger["accepted"] == ledger["stored"] + ledger["waiting"] + ledger["failed"]
    assert ledger["failed"] == 0


def is_known(ledger: dict[str, int | None]) -> bool:
    return None not in [ledger[place] for place in PLACES]


def test_a_row_deleted_by_hand_rings_within_20_s_by_run_and_number(new_system: NewSystem) -> None:
    system = new_system()
    system.up()
    until(lambda: (system.stats()["stored_total"] or 0) >= 50, what="messages are stored")
    with closing(sqlite3.connect(system.home / "data" / "messages.db", timeout=5)) as database, database:
        database.execute("DELETE FROM message WHERE number = 41")

    def alarm() -> str:
        found = (one["text"] for one in system.stats()["conditions"] if one["code"] == "unaccounted")
        return next(found, "")

    said = awaited(alarm, lambda text: "UTC: 41)" in text, 20, "the lost number is named")
    assert said.startswith("1 accepted message can't be found")
    until(lambda: system.stats()["ledger"]["unaccounted"] == 1, what="it is counted")
