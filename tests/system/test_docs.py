"""The commands that README and docs tell a reader to type do what they say."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from launcher import cli
from launcher.configuration import CHECKOUT
from tests.support.launched import READY_VENV, Launched

pytestmark = pytest.mark.system

PAGES = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").glob("*.md"))]
_BLOCK = re.compile(r"^ *```(?:sh)?\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_RQ = 'RQ_REDIS_URL="$(cat .fizzbuzz/'
_REDIS = 'REDISCLI_AUTH="$(cat .fizzbuzz/'
_STARTS = ("./start.sh", "curl ", "sqlite3 ", _RQ, _REDIS, "docker compose ")


def commands() -> list[str]:
    """Every command in a block of a page, its continued lines joined, comments left out."""
    found: list[str] = []
    for page in PAGES:
        for block in _BLOCK.findall(page.read_text()):
            text = "\n".join(line.strip() for line in block.replace("\\\n", " ").splitlines())
            found += _split(text) if text.startswith(_STARTS) else []
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


def test_the_pages_have_commands_of_each_kind() -> None:
    assert {start for start in _STARTS for command in commands() if command.startswith(start)} == set(_STARTS)


@pytest.mark.parametrize("command", [c for c in commands() if c.startswith("./start.sh")])
def test_start_sh_knows_its_commands(command: str) -> None:
    words = shlex.split(command, comments=True)[1:]
    if words and words[0] in {
        "test",
        "load",
        "report",
        "failed",
    }:  # their arguments are for others, which have tests of their own
        return
    cli.parser().parse_args(words or ["up"])


@pytest.mark.parametrize(
    "command", [c for c in commands() if c.startswith(("curl ", "sqlite3 ", _RQ, _REDIS))]
)
def test_it_works_as_it_is_written_on_the_running_system(command: str, system: Launched) -> None:
    here = {
        "http://127.0.0.1:8000": f"http://127.0.0.1:{system.gateway_port}",
        "http://127.0.0.1:5000": f"http://127.0.0.1:{system.web_port}",
        ".fizzbuzz/venv/": f"{READY_VENV}/",
        ".fizzbuzz/": f"{system.home}/",
    }
    command = re.sub("|".join(map(re.escape, here)), lambda found: here[found[0]], command)
    path = f"{Path(sys.prefix) / 'bin'}:/usr/local/bin:/usr/bin:/bin"
    done = subprocess.run(
        ["sh", "-c", command], env={"PATH": path}, capture_output=True, text=True, check=False, timeout=30
    )
    if done.returncode == 127:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stdout + done.stderr
    if command.startswith("curl"):
        assert '"accepted":1' in done.stdout
