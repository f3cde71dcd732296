"""Whether there is a Docker engine that can be used, and what its errors mean to a person."""

import re
import shutil
import subprocess
from pathlib import Path

from launcher.problem import Problem

LEAST_COMPOSE = (2, 20)
LEAST_ISOLATED = 28
NEEDED_MB = 2_000
"""Free space that a first build of the images needs."""

# What docker says, and what that means; the first that fits counts.
_MEANINGS = {
    r"permission denied while trying to connect|dial unix .*permission denied": (
        "you may not use the Docker engine: add yourself to the group docker (sudo usermod -aG docker $USER,"
        " then sign in anew), or use --mode local"
    ),
    r"cannot connect to the docker daemon|error during connect|connection refused": (
        "the Docker engine is not running: start it (sudo systemctl start docker, or Docker Desktop),"
        " or use --mode local"
    ),
    r"no space left on device": (
        "no space is left on the Docker engine's disk: make room (docker system df shows what takes it)"
    ),
    r"Bind for (\S+) failed: port is already allocated|listen tcp4? (\S+): bind: address already in use": (
        "port {} is taken by another program: end that, or set FIZZBUZZ_WEB_PORT, FIZZBUZZ_GATEWAY_PORT"
        " or FIZZBUZZ_INFLUX_PORT to a free port"
    ),
    r"non-overlapping IPv4 address pool": (
        "Docker has no network addresses left: remove unused networks (docker network prune)"
    ),
    r"(?:pull access denied for|failed to resolve source metadata for|manifest for) (\S+?)[:,]? ": (
        "the image {} is not here and can't be fetched: connect to the network, or docker load it"
    ),
}


def version() -> str:
    """The engine's version, such as ``28.2.2``. Raises Problem where none answers."""
    return _ask("docker", "version", "--format", "{{.Server.Version}}").strip()


def gateway_mode(version: str) -> str:
    """How inner networks are kept from the machine itself: older engines don't know ``isolated``."""
    found = re.match(r"(\d+)\.", version)
    return "isolated" if found and int(found[1]) >= LEAST_ISOLATED else "nat"


def check() -> None:
    """Raises Problem, with one line, where Docker can't be used."""
    version()
    try:
        text = _ask("docker", "compose", "version", "--short")
    except Problem as problem:
        raise Problem(
            f"docker compose is not installed: install Docker's compose plugin ({problem})"
        ) from None
    found = re.match(r"v?(\d+)\.(\d+)", text)
    if found and (int(found[1]), int(found[2])) < LEAST_COMPOSE:
        least = ".".join(map(str, LEAST_COMPOSE))
        raise Problem(f"docker compose {text.strip()} is too old: install {least} or newer")


def check_space(needed_mb: int = NEEDED_MB) -> None:
    """Raises Problem where the images don't fit; an engine in a virtual machine can't be asked."""
    root = Path(_ask("docker", "info", "--format", "{{.DockerRootDir}}").strip())
    if not root.exists():
        return
    free_mb = shutil.disk_usage(root).free // 2**20
    if free_mb < needed_mb:
        raise Problem(f"{root}: {free_mb} MB are free, building the images needs {needed_mb} MB: make room")


def meaning(text: str, otherwise: str) -> str:
    """What docker's output means, in one line; ``otherwise`` and its last line where that isn't known."""
    for pattern, line in _MEANINGS.items():
        found = re.search(pattern, text, re.IGNORECASE)
        if found:
            return line.format(next((group for group in found.groups() if group), ""))
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return f"{otherwise}: {lines[-1] if lines else 'docker said nothing'}"


def _ask(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except FileNotFoundError:
        raise Problem("docker is not installed: install Docker, or use --mode local") from None
    except subprocess.TimeoutExpired:
        raise Problem("the Docker engine gives no answer: restart it, or use --mode local") from None
    if done.returncode:
        raise Problem(meaning(done.stderr, "docker can't be used"))
    return done.stdout
