"""Following the logs of containers, with a ``docker`` that a test plays."""

import os
import threading
from pathlib import Path

import pytest

from launcher.docker import logs
from launcher.docker.containers import Container

DOCKER = """#!/bin/sh
case $1 in
  logs) [ -e {gone} ] || echo "2026-01-01T00:00:00.5Z a line"; exec sleep 0.2 ;;
  inspect) [ ! -e {gone} ] ;;
esac
"""


def test_following_ends_when_the_containers_are_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    docker = tmp_path / "docker"
    docker.write_text(DOCKER.format(gone=gone))
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    found = [Container(f"id-{name}", name, 1, "running", "", 0, 0.0, 0) for name in ("web", "redis")]
    messages: list[str] = []

    def follow() -> None:
        for line in logs.read(found, follow=True):
            messages.append(line.message)
            gone.touch()

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    assert "a line" in messages
