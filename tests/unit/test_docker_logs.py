"""The logs of containers, with a fake ``docker``."""

import os
import threading
from pathlib import Path

import pytest

from launcher import configuration
from launcher.compose.project import Project
from launcher.errors import UserError

FAILING = """#!/bin/sh
echo 'web-1  | 2026-01-01T00:00:00Z before'
echo 'Error response from daemon: no such container' >&2
exit 1
"""
DOCKER = """#!/bin/sh
case "$*" in
  *--follow*)
    printf '\\033[2Kweb-1  | 2026-01-01T00:00:00.5Z the last of before\\n'
    echo 'web-1  | 2026-01-01T00:00:01Z a new one'
    exec sleep 0.2 ;;
  *)
    echo 'web-1     | 2026-01-01T00:00:00.5Z the last of before'
    echo 'worker-2  | 2026-01-01T00:00:00.25Z {"message": "the first", "part": "worker-0123456789ab"}'
    echo 'worker-1  | 2026-01-01T00:00:00.1Z {"message": "of another", "part": "worker-ba9876543210"}'
    echo 'a line of docker itself' ;;
esac
"""


def faked(script: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    docker = folder / "docker"
    docker.write_text(script)
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    return Project(configuration.load({"FIZZBUZZ_HOME": str(folder)}))


def test_lines_are_in_the_order_of_time_and_following_ends_with_the_containers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = faked(DOCKER, tmp_path, monkeypatch)
    seen: list[tuple[str, str]] = []

    def follow() -> None:
        seen.extend((line.service, line.message) for line in project.logs(follow=True))

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    assert seen == [
        ("worker-ba9876543210", "of another"),
        ("worker-0123456789ab", "the first"),
        ("web", "the last of before"),
        ("web", "a new one"),
    ]


def test_lines_of_one_container_are_found_by_its_name_whatever_it_calls_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = faked(DOCKER, tmp_path, monkeypatch)
    assert [line.message for line in project.logs("worker", names=["worker-1"])] == ["of another"]


def test_logs_that_can_not_be_read_are_said_after_those_that_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = faked(FAILING, tmp_path, monkeypatch).logs()
    with pytest.raises(
        UserError, match="some logs are missing: Error response from daemon: no such container"
    ):
        list(lines)
