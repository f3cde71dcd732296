"""Files that are not Python pass the checkers of their own languages."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
SHELL = (
    "start.sh",
    ".ci/run",
    "requirements/lock.sh",
    "deploy/redis/start-server.sh",
    "deploy/redis/start-sentinel.sh",
    "deploy/redis/stop-sentinel.sh",
    "deploy/tls/make_test_certificates.sh",
)


def check(program: str, *arguments: str) -> None:
    """Run a checker; skips where it is not installed."""
    if not shutil.which(program):
        pytest.skip(f"no {program} on PATH")
    done = subprocess.run([program, *arguments], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("script", SHELL)
def test_shell_scripts_are_clean(script: str) -> None:
    check("shellcheck", script)


def test_every_shell_script_is_checked() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=PROJECT, capture_output=True, text=True, check=False)
    found = {name for name in tracked.stdout.split() if _is_shell(PROJECT / name)}
    assert found <= set(SHELL)


def _is_shell(path: Path) -> bool:
    if not path.is_file() or path.suffix in {".png", ".bat"}:
        return False
    with path.open("rb") as file:
        first = file.readline()
    return path.suffix == ".sh" or (first.startswith(b"#!") and b"sh" in first.split(b"/")[-1])


@pytest.mark.parametrize(
    "script", sorted(p.name for p in (PROJECT / "web" / "static").glob("*.js")), ids=lambda name: name
)
def test_scripts_of_the_page_parse(script: str) -> None:
    source = (PROJECT / "web" / "static" / script).read_text()
    if not shutil.which("node"):
        pytest.skip("no node on PATH")
    done = subprocess.run(
        ["node", "--input-type=module", "--check"], input=source, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_dockerfile_is_clean() -> None:
    check("hadolint", "--failure-threshold", "warning", "deploy/Dockerfile")


def test_the_workflow_is_valid() -> None:
    check("actionlint", ".github/workflows/test.yml")


def test_the_workflow_runs_what_ci_runs() -> None:
    """One definition of what is checked: ``.ci/run``."""
    workflow = (PROJECT / ".github" / "workflows" / "test.yml").read_text()
    assert "run: .ci/run all\n" in workflow
    assert "start.sh test" not in workflow


def test_actions_are_pinned_by_commit() -> None:
    """A tag can be moved to other code."""
    workflow = (PROJECT / ".github" / "workflows" / "test.yml").read_text()
    used = re.findall(r"uses: *(\S+)", workflow)
    assert used
    assert [one for one in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", one)] == []


def test_the_proxy_s_configuration_is_valid() -> None:
    # Docker's names are resolved at run time; -c warns of nothing else.
    check("haproxy", "-c", "-q", "-f", "deploy/proxy/haproxy.cfg")


def test_start_bat_passes_its_arguments_on() -> None:
    assert b"\n" not in (PROJECT / "start.bat").read_bytes().replace(b"\r\n", b""), "cmd.exe needs CRLF"
    lines = (PROJECT / "start.bat").read_text().splitlines()
    assert lines[0].lower() == "@echo off"
    assert any("-m launcher %*" in line for line in lines)
