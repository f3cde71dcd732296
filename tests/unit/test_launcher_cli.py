import subprocess
import sys
from pathlib import Path

import pytest

from launcher import cli, commands, status_command
from launcher.configuration import CHECKOUT

COMMANDS = [
    "up",
    "down",
    "restart",
    "status",
    "logs",
    "test",
    "notebook",
    "load",
    "report",
    "bench",
    "failed",
    "runs",
    "trace",
]


def start_sh(*words: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["/bin/sh", str(CHECKOUT / "start.sh"), *words],
        env={"PATH": "/usr/bin:/bin", **environ} if "PATH" not in environ else environ,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def python_path() -> str:
    """A PATH with a Python that is new enough."""
    return f"{Path(sys.executable).parent}:/usr/bin:/bin"


def test_help_lists_every_command(python_path: str) -> None:
    done = start_sh("--help", PATH=python_path)
    assert done.returncode == 0
    assert all(f"\n    {command} " in done.stdout for command in COMMANDS)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_character_that_the_terminal_lacks_is_escaped(python_path: str, encoding: str) -> None:
    done = start_sh("--help", PATH=python_path, PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stderr) == (0, "")
    assert r"[\u2026]" in done.stdout


@pytest.mark.parametrize("words", [("--mode", "other"), ("--mode=other",)])
def test_a_mode_without_a_command_is_for_up(python_path: str, words: tuple[str, ...]) -> None:
    done = start_sh(*words, PATH=python_path)
    assert done.returncode == 2
    assert "argument --mode: invalid choice: 'other'" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("nonsense",),
        ("--nonsense",),
        ("up", "--nonsense"),
        ("up", "--mode", "other"),
        ("down", "now"),
        ("logs", "a", "b"),
    ],
)
def test_what_is_unknown_is_reported_on_stderr_with_status_2(
    python_path: str, words: tuple[str, ...]
) -> None:
    done = start_sh(*words, PATH=python_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert words[-1] in done.stderr or "invalid" in done.stderr


def test_the_help_of_failed_needs_no_system_and_no_package(python_path: str, tmp_path: Path) -> None:
    done = start_sh("failed", "--help", PATH=python_path, FIZZBUZZ_HOME=str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert "usage: ./start.sh failed" in done.stdout
    done = start_sh("failed", PATH=python_path, FIZZBUZZ_HOME=str(tmp_path))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "start.sh: the system isn't running: start it with ./start.sh up\n"


def test_an_unknown_command_suggests_the_nearest(python_path: str) -> None:
    for word, nearest in (("stauts", "status"), ("log", "logs"), ("restrat", "restart"), ("stop", "down")):
        done = start_sh(word, PATH=python_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert f"unknown command {word}: did you mean {nearest}?" in done.stderr


def test_help_and_version_need_nothing(python_path: str) -> None:
    assert start_sh("help", PATH=python_path).stdout == start_sh("--help", PATH=python_path).stdout
    words = start_sh("--version", PATH=python_path).stdout.split()
    assert words[0] == "fizzbuzz-pipeline"
    assert words[1][0].isdigit()


def test_an_invalid_setting_stops_a_start_with_one_line_and_nothing_else(
    python_path: str, tmp_path: Path
) -> None:
    for command in ("down", "status", "logs"):
        done = start_sh(command, PATH=python_path, FIZZBUZZ_HOME=str(tmp_path), FIZZBUZZ_WEB_PORT="abc")
        assert "FIZZBUZZ_WEB_PORT" not in done.stderr
    for path in tmp_path.iterdir():
        path.unlink()
    for command in ("up", "restart"):
        done = start_sh(command, PATH=python_path, FIZZBUZZ_HOME=str(tmp_path), FIZZBUZZ_WEB_PORT="abc")
        assert done.returncode == 2
        assert done.stderr.startswith("start.sh: FIZZBUZZ_WEB_PORT=abc (set in the environment): ")
        assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_home_that_can_not_be_made_is_named_in_one_line(python_path: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    home = str(tmp_path / "file" / "home")
    done = start_sh("up", "--mode", "local", PATH=python_path, FIZZBUZZ_HOME=home)
    assert done.returncode == 1
    assert done.stderr.startswith(f"start.sh: {tmp_path / 'file'}")
    assert done.stderr.count("\n") == 1


def test_without_a_python_one_line_says_what_to_install(tmp_path: Path) -> None:
    done = start_sh("up", PATH=str(tmp_path))
    assert done.returncode == 1
    assert "Python 3.11" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_python_that_is_too_old_is_passed_over(tmp_path: Path, python_path: str) -> None:
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    assert start_sh("--help", PATH=f"{tmp_path}:{python_path}").returncode == 0
    assert start_sh("--help", PATH=str(tmp_path)).returncode == 1


def test_it_may_be_called_from_anywhere_and_through_a_path_with_spaces(
    tmp_path: Path, python_path: str
) -> None:
    link = tmp_path / "a checkout"
    link.symlink_to(CHECKOUT)
    command = [str(link / "start.sh"), "--help"]
    done = subprocess.run(command, cwd="/", env={"PATH": python_path}, capture_output=True, check=False)
    assert done.returncode == 0


def test_an_option_that_is_cut_short_deletes_nothing(python_path: str, tmp_path: Path) -> None:
    for words in (("down", "--wip"), ("status", "--jso"), ("up", "--mod", "local")):
        done = start_sh(*words, PATH=python_path, FIZZBUZZ_HOME=str(tmp_path / "home"))
        assert done.returncode == 2
        assert "unrecognized arguments" in done.stderr
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("command", "expected"), [("up", True), ("restart", True), ("down", False), ("status", False)]
)
def test_what_starts_a_system_is_ended_by_sigterm_and_a_closed_terminal_as_by_ctrl_c(
    monkeypatch: pytest.MonkeyPatch, command: str, *, expected: bool
) -> None:
    """Else containers that are being started would stay."""
    asked: list[str] = []
    monkeypatch.setattr(cli, "end_as_by_ctrl_c", lambda: asked.append("asked"))
    monkeypatch.setattr(status_command if command == "status" else commands, command, lambda *_, **__: 0)
    assert cli.main([command]) == 0
    assert bool(asked) == expected


def test_docker_mode_needs_no_module_that_windows_lacks() -> None:
    lacking = "import sys; sys.modules.update(dict.fromkeys(['fcntl', 'grp', 'pwd', 'resource', 'termios']))"
    code = f"{lacking}; import launcher.cli, launcher.compose.system"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
