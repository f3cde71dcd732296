"""The commands that README and docs name do what they say."""

import os
import re
import shlex
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import requests

from launcher import cli
from launcher.configuration import CHECKOUT
from tests.support.freezing import freeze
from tests.support.launched import READY_VENV, Launched
from tests.support.waiting import until

pytestmark = pytest.mark.system

PAGES = [
    CHECKOUT / "README.md",
    CHECKOUT / "CONTRIBUTING.md",
    CHECKOUT / "SECURITY.md",
    *sorted((CHECKOUT / "docs").glob("*.md")),
]
_BLOCK = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_RQ = 'RQ_REDIS_URL="$(cat .fizzbuzz/'
_REDIS = 'REDISCLI_AUTH="$(cat .fizzbuzz/'
_RUN_HERE = ("curl ", "sqlite3 ", _RQ, _REDIS)
_COMPOSE = "docker compose --env-file .fizzbuzz/docker.env -f deploy/docker-compose.yml"
PICTURES = ("producer ──HTTP POST", "0.0 ms   producer")
"""Blocks that are not commands begin with these."""
ELSEWHERE = {
    "./start.sh test": ".ci/run",
    "./start.sh load": "tests/system/test_load.py",
    "./start.sh report": "tests/system/test_load.py",
    "./start.sh failed": "tests/system/test_failed.py",
    ".fizzbuzz/venv/bin/ruff": ".ci/run",
    ".fizzbuzz/venv/bin/mypy": ".ci/run",
    "deploy/tls/make_test_certificates.sh": "tests/support/certificates.py",
    "git clone": ".github/workflows/test.yml",  # by its action
    "docker compose -f deploy/docker-compose.yml --profile redis": "tests/docker/test_redis_replicas.py",
    "COMPOSE_PROFILES=tls": "tests/docker/test_tls.py",
    "kubectl -n fizzbuzz create secret generic http-tls": "tests/kubernetes/tls/test_tls.py",
    "docker compose -f": "tests/docker/test_by_hand.py",
    'echo \'{"api_token"': "tests/docker/test_by_hand.py",
    f"{_COMPOSE} up": "tests/docker/test_scale.py",
    f"{_COMPOSE} --profile queue-ui": "tests/docker/test_queue_ui.py",
    f"{_COMPOSE} exec worker": "tests/docker/test_commands.py",
}
"""Commands that are not run here: by how they begin, where they are run."""


def commands() -> list[str]:
    """Every command in a block of a page, its continued lines joined, comments left out."""
    found: list[str] = []
    for page in PAGES:
        for language, block in _BLOCK.findall(page.read_text()):
            if language == "yaml":
                continue
            text = textwrap.dedent(block).replace("\\\n", " ").strip()
            found += [] if text.startswith(PICTURES) else _split(text)
    return found


def _split(block: str) -> list[str]:
    """The commands of a block; a quoted argument may go over lines."""
    pieces: list[str] = []
    for line in block.splitlines():
        if pieces and pieces[-1].count('"') % 2:
            pieces[-1] += "\n" + line
        else:
            pieces.append(line)
    return [piece for piece in pieces if piece.strip()]


def run_here(command: str, system: Launched) -> "subprocess.CompletedProcess[str]":
    """Run a command of a page, with the addresses of ``system`` in place of the usual ones."""
    here = {
        "http://127.0.0.1:8000": f"http://127.0.0.1:{system.gateway_port}",
        "http://127.0.0.1:5000": f"http://127.0.0.1:{system.web_port}",
        ".fizzbuzz/venv/": f"{READY_VENV}/",
        ".fizzbuzz/": f"{system.home}/",
    }
    command = re.sub("|".join(map(re.escape, here)), lambda found: here[found[0]], command)
    path = f"{Path(sys.prefix) / 'bin'}:/usr/local/bin:/usr/bin:/bin"
    return subprocess.run(
        ["sh", "-c", command], env={"PATH": path}, capture_output=True, text=True, check=False, timeout=30
    )


def test_every_command_of_the_pages_is_run_here_or_named_with_where_it_is() -> None:
    runs = (*_RUN_HERE, *ELSEWHERE)
    assert [one for one in commands() if not one.startswith(runs) and not _is_parsed(one)] == []


@pytest.mark.parametrize("start", [*_RUN_HERE, *ELSEWHERE])
def test_no_entry_names_what_is_not_there(start: str) -> None:
    assert any(command.startswith(start) for command in commands())
    assert (CHECKOUT / ELSEWHERE.get(start, "")).exists()


def _is_parsed(command: str) -> bool:
    """Whether ``start.sh`` itself reads all of the command's words."""
    return command.startswith("./start.sh") and not command.startswith(tuple(ELSEWHERE))


@pytest.mark.parametrize("command", [c for c in commands() if _is_parsed(c)])
def test_start_sh_knows_its_commands(command: str) -> None:
    words = shlex.split(command, comments=True)[1:]
    cli.parser().parse_args(words or ["up"])


@pytest.mark.parametrize("command", [c for c in commands() if c.startswith(_RUN_HERE)])
def test_it_works_as_it_is_written_on_the_running_system(command: str, system: Launched) -> None:
    done = run_here(command, system)
    if done.returncode == 127:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stdout + done.stderr
    if command.startswith("curl"):
        assert '"accepted":1' in done.stdout


def test_a_waiting_message_is_found_in_its_job_by_the_documented_command(system: Launched) -> None:
    (command,) = [c for c in commands() if c.startswith(_RQ) and "== 57" in c]
    worker = system.pids()["worker-1"]
    freeze(worker)
    try:
        body = {"run": "fifty-seven", "number": 57, "sent_at": "2026-01-01T12:00:00.5Z"}
        url = f"http://127.0.0.1:{system.gateway_port}/messages"
        assert requests.post(url, json=body, timeout=5).status_code == 202
        shown = run_here(command, system)
    finally:
        os.kill(worker, signal.SIGCONT)
    (line,) = [row for row in shown.stdout.splitlines() if "fifty-seven" in row]
    assert line.startswith("rq:job:")
    assert "'fifty-seven', 57, 1767268800500000000, " in line
    until(lambda: system.rows("SELECT number FROM message WHERE run = 'fifty-seven'") == [(57,)], 10)
