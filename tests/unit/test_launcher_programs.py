"""What ``./start.sh test`` installs, and which settings its tests see."""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from launcher import configuration, programs
from launcher.configuration import CHECKOUT, Configuration
from tests.support.launched import Launched


@pytest.mark.parametrize(
    "arguments",
    [
        ["tests/unit"],
        ["tests/unit/", "-q"],
        ["tests/unit/test_tokens.py::test_x", "-n", "0"],
        ["-k", "token", "tests/unit/test_tokens.py", "tests/unit/test_hosts.py"],
    ],
)
def test_unit_tests_alone_need_few_packages_and_one_process(
    arguments: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    groups, command = _started(arguments, monkeypatch)
    assert groups == ("unit",)
    assert command[1:] == ["-m", "pytest", *arguments]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["-k", "unit"],
        ["tests"],
        ["tests/unit", "tests/queue"],
        ["tests/units.py"],
        ["--ignore", "tests/unit"],
        ["--ignore=tests/unit"],
    ],
)
def test_all_others_need_everything(arguments: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> None:
    groups, command = _started(arguments, monkeypatch)
    assert groups == ("redis", "test")
    assert command[1:] == ["-m", "pytest", *programs.SIDE_BY_SIDE, *arguments]


@pytest.mark.parametrize(("ci", "passed"), [("", set()), ("true", {"INFLUXDB_URL", "INFLUXDB_TOKEN"})])
def test_in_ci_alone_the_tests_are_given_an_influxdb(
    ci: str, passed: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", ci)
    monkeypatch.setenv("INFLUXDB_URL", "http://127.0.0.1:8086")
    monkeypatch.setenv("INFLUXDB_TOKEN", "operator-token")
    monkeypatch.setenv("FIZZBUZZ_RATE", "7")
    environs: list[dict[str, str]] = []
    _started([], monkeypatch, environs)
    names = {"INFLUXDB_URL", "INFLUXDB_TOKEN", "FIZZBUZZ_RATE"}
    assert {name for name in names if name in environs[0]} == passed


@pytest.mark.parametrize("command", ["load", "report", "bench"])
def test_no_command_runs_python_files_of_the_folder_that_it_is_typed_in(command: str, tmp_path: Path) -> None:
    if command == "bench":
        pytest.importorskip("psutil")
    for name in ("load", "bench", "launcher", "argparse"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('another program')")
    done = subprocess.run(
        [str(CHECKOUT / "start.sh"), command, "--help"],
        cwd=tmp_path,
        env=Launched(tmp_path / "home").environ(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "usage: " in done.stdout


@pytest.mark.parametrize("name", ["load", "runs", "failed", "notebook"])
def test_the_secrets_of_the_system_are_sent_to_no_proxy(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for proxy in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(proxy, "http://proxy.example")
    environs: list[dict[str, str]] = []

    def started(command: list[str], folder: Path, environ: dict[str, str]) -> int:
        environs.append(environ)
        return 0

    system = SimpleNamespace(
        runs_notebook=True,
        environment=lambda: {"INFLUXDB_TOKEN": "secret"},
        in_worker_container=lambda words: None,
    )
    running = (system, configuration.load({"FIZZBUZZ_HOME": str(tmp_path)}))
    monkeypatch.setattr(programs, "_running", lambda: running)
    monkeypatch.setattr(programs, "_prepared", lambda *groups: Path("/venv/bin/python"))
    monkeypatch.setattr(programs, "_become", started)
    monkeypatch.setattr(programs, "_run", started)
    assert (programs.notebook(run=False) if name == "notebook" else getattr(programs, name)([])) == 0
    assert environs[0]["INFLUXDB_TOKEN"] == "secret"
    assert [one for one in environs[0] if "proxy.example" in environs[0][one]] == []


def _started(
    arguments: Sequence[str], monkeypatch: pytest.MonkeyPatch, environs: list[dict[str, str]] | None = None
) -> tuple[tuple[str, ...], list[str]]:
    """The groups that ``test`` has installed, and the command that it becomes."""
    seen: list[tuple[str, ...]] = []
    commands: list[list[str]] = []

    def prepared(_: Configuration, *groups: str) -> Path:
        seen.append(groups)
        return Path("/venv/bin/python")

    def become(command: list[str], folder: Path, environ: dict[str, str]) -> int:
        commands.append(command)
        if environs is not None:
            environs.append(environ)
        return 0

    monkeypatch.setattr(programs, "_prepared", prepared)
    monkeypatch.setattr(programs, "_become", become)
    assert programs.test(arguments) == 0
    return seen[0], commands[0]
