"""The logs of containers, with a ``docker`` that a test plays."""

import os
import threading
from pathlib import Path

import pytest

from launcher import configuration
from launcher.compose import logs
from launcher.compose.project import Project

DOCKER = """#!/bin/sh
case "$*" in
  *--follow*)
    printf '\\033[2Kweb-1  | 2026-01-01T00:00:00.5Z the last of before\\n'
    echo 'web-1  | 2026-01-01T00:00:01Z a new one'
    exec sleep 0.2 ;;
  *)
    echo 'web-1     | 2026-01-01T00:00:00.5Z the last of before'
    echo 'worker-2  | 2026-01-01T00:00:00.25Z {"message": "the first", "part": "worker-2"}'
    echo 'a line of docker itself' ;;
esac
"""


def test_lines_are_in_the_order_of_time_and_following_ends_with_the_containers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker = tmp_path / "docker"
    docker.write_text(DOCKER)
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    project = Project(configuration.load({"FIZZBUZZ_HOME": str(tmp_path)}))
    seen: list[tuple[str, str]] = []

    def follow() -> None:
        seen.extend((line.part, line.message) for line in logs.read(project, [], follow=True))

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    assert seen == [("worker-2", "the first"), ("web", "the last of before"), ("web", "a new one")]
