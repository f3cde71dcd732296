import fcntl
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher.configuration import CHECKOUT
from launcher.local import exec_service, process_lock

HOLDER = """
import subprocess, sys
from pathlib import Path
from launcher.local import process_lock
process_lock.record_start(process_lock.acquire(Path(sys.argv[1]), inherit=True))
if "child" in sys.argv:
    subprocess.Popen([sys.executable, "-c", "input()"], close_fds=False)
print("held", flush=True)
sys.exit() if "child" in sys.argv else sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "service.lock"
    process_lock.kill(tmp_path / "service.lock")


def start(path: Path, *words: str) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path), *words],
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "held\n"
    return process


def test_it_is_held_for_as_long_as_the_process_lives(path: Path) -> None:
    assert not process_lock.is_held(path)
    with start(path) as process:
        assert process_lock.is_held(path)
        assert process_lock.read(path).pid == process.pid
        process.kill()
    assert not process_lock.is_held(path)


def test_a_child_that_is_left_behind_holds_it_too_and_can_be_ended(path: Path) -> None:
    with start(path, "child") as process:
        process.wait()
        assert process_lock.is_held(path)
        process_lock.kill(path)
    os.close(process_lock.acquire(path, inherit=False))


def test_whoever_takes_it_ends_its_earlier_self(path: Path) -> None:
    with start(path) as process:
        os.close(process_lock.acquire(path, inherit=False))
        assert process.wait() == -9


def test_starts_are_counted_and_the_last_ones_remembered(path: Path) -> None:
    for second in range(7):
        descriptor = process_lock.acquire(path, inherit=False)
        before = process_lock.record_start(descriptor, lambda second=second: float(second))  # type: ignore[misc]
        os.close(descriptor)
    assert before.starts == 6
    assert process_lock.read(path) == process_lock.Record(os.getpid(), 7, (2.0, 3.0, 4.0, 5.0, 6.0))


def test_a_record_that_was_half_written_counts_as_none(path: Path) -> None:
    path.write_text('{"pid": 12')
    assert process_lock.read(path) == process_lock.Record()
    descriptor = process_lock.acquire(path, inherit=False)
    assert process_lock.record_start(descriptor) == process_lock.Record()
    os.close(descriptor)
    assert process_lock.read(path).starts == 1


def test_nobody_is_killed_for_a_file_that_nobody_holds(path: Path) -> None:
    path.write_text(f'{{"pid": {os.getpid()}, "starts": 1, "recent": []}}')
    process_lock.kill(path)  # or this test would end here


def test_two_checks_at_once_do_not_mistake_each_other_for_a_holder(path: Path) -> None:
    path.write_text("{}")
    with path.open() as other_check:
        fcntl.flock(other_check, fcntl.LOCK_SH)
        assert not process_lock.is_held(path)
    seen: list[bool] = []

    def check() -> None:
        seen.extend(process_lock.is_held(path) for _ in range(2_000))

    threads = [threading.Thread(target=check) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not any(seen)


@pytest.mark.parametrize("content", ["12", "[]", '{"pid": "x"}', '{"pid": 1, "starts": 1, "recent": 5}'])
def test_a_record_of_another_shape_counts_as_none(path: Path, content: str) -> None:
    path.write_text(content)
    assert process_lock.read(path) == process_lock.Record()
    descriptor = process_lock.acquire(path, inherit=False)
    assert process_lock.record_start(descriptor) == process_lock.Record()
    os.close(descriptor)


def test_nothing_starts_while_the_system_is_being_stopped(tmp_path: Path) -> None:
    (tmp_path / exec_service.STOPPING).touch()
    command = [sys.executable, "-m", "launcher.local.exec_service", str(tmp_path), "web"]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, check=False)
    assert done.returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == [exec_service.STOPPING]


def test_what_supervisor_has_only_just_started_ends_with_it(tmp_path: Path) -> None:
    child = "print(subprocess.Popen(['sleep', '60'], start_new_session=True).pid, flush=True)\n"
    program = HOLDER.partition("sys.exit()")[0] + child + "sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", program, str(process_lock.path_of(tmp_path, process_lock.SUPERVISOR))],
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        started = int(process.stdout.readline())
        process_lock.kill_all(tmp_path, tmp_path)
        state = Path(f"/proc/{started}/stat")
        assert not state.exists() or state.read_text().rpartition(")")[2].split()[0] in "ZX"
