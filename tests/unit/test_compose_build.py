"""Building the images, with a ``docker`` that fails as often as configured."""

import os
from pathlib import Path

import pytest

from launcher import configuration
from launcher.compose.project import Project
from launcher.errors import UserError

DOCKER = """#!/bin/sh
echo "$*" >> "$0.calls"
test "$(wc -l < "$0.calls")" -gt FAILURES && exit 0
echo 'failed to compute cache key: "/producer" not found: not found' >&2
exit 17
"""


def project(folder: Path, monkeypatch: pytest.MonkeyPatch, *, failures: int) -> tuple[Project, Path]:
    """A project whose engine fails that many times, and where its calls are written."""
    docker = folder / "docker"
    docker.write_text(DOCKER.replace("FAILURES", str(failures)))
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("FIZZBUZZ_HOME", str(folder / "home"))
    found = configuration.load()
    found.home.make()
    found.home.logs.mkdir(exist_ok=True)
    return Project(found), folder / "docker.calls"


def test_a_build_that_fails_once_is_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    built, calls = project(tmp_path, monkeypatch, failures=1)
    built.build("gateway")
    first, second = calls.read_text().splitlines()
    assert first == second
    assert first.endswith("build gateway")
    assert '"/producer" not found' in capsys.readouterr().out


def test_a_build_that_fails_again_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built, calls = project(tmp_path, monkeypatch, failures=9)
    with pytest.raises(UserError, match="building the images failed"):
        built.build()
    assert len(calls.read_text().splitlines()) == 2
