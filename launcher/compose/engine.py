"""The Docker engine: the one call of ``docker``, and what its errors mean to a user."""

import re
from collections.abc import Mapping

from launcher import run_command
from launcher.errors import UserError

MIN_COMPOSE = (2, 20)
MIN_ISOLATED = 28
CALL_S = 60.0

# Errors of docker, and what each means; the first match counts.
_MEANINGS = {
    r"permission denied while trying to connect|dial unix .*permission denied": (
        "you may not use the Docker engine: add yourself to the group docker (sudo usermod -aG docker $USER,"
        " then sign in again), or use --mode local"
    ),
    r"cannot connect to the docker daemon|error during connect|connection refused": (
        "the Docker engine is not running: start it (sudo systemctl start docker, or Docker Desktop),"
        " or use --mode local"
    ),
    r"no space left on device": (
        "no space is left on the Docker engine's disk: make room (docker system df shows what uses it)"
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


def check() -> str:
    """The engine's version, such as ``28.2.2``. Raises UserError, in one line, where it can't be used."""
    version = run("version", "--format", "{{.Server.Version}}", failed="docker can't be used").strip()
    try:
        text = run("compose", "version", "--short")
    except UserError as error:
        raise UserError(
            f"docker compose is not installed: install Docker's compose plugin ({error})"
        ) from None
    found = re.match(r"v?(\d+)\.(\d+)", text)
    if found and (int(found[1]), int(found[2])) < MIN_COMPOSE:
        oldest = ".".join(map(str, MIN_COMPOSE))
        raise UserError(f"docker compose {text.strip()} is too old: install {oldest} or newer")
    return version


def bridge_mode(version: str) -> str:
    """How inner networks are kept from the machine itself: older engines don't know ``isolated``."""
    found = re.match(r"(\d+)\.", version)
    return "isolated" if found and int(found[1]) >= MIN_ISOLATED else "nat"


def run(
    *words: str,
    failed: str = "",
    given: str = "",
    environ: Mapping[str, str] | None = None,
    timeout_s: float | None = CALL_S,
) -> str:
    """Run a docker command to its end; its output.

    Args:
        words: the command without ``docker``.
        failed: what it means when it fails.
        given: its standard input.
        environ: its whole environment, where that is not this process's.
        timeout_s: how long it may take.

    Raises:
        UserError: it failed; one line says why.
    """
    return run_command.output(
        ["docker", *words],
        lambda text: explain(text, failed or f"docker {words[0]} failed"),
        "docker is not installed: install Docker, or use --mode local",
        "the Docker engine does not answer: restart it, or use --mode local",
        given=given,
        environ=environ,
        timeout_s=timeout_s,
    )


def explain(text: str, otherwise: str) -> str:
    """What docker's output means, in one line; ``otherwise`` and its last line where that isn't known."""
    for pattern, line in _MEANINGS.items():
        found = re.search(pattern, text, re.IGNORECASE)
        if found:
            return line.format(next((group for group in found.groups() if group), ""))
    return f"{otherwise}: {run_command.last_line(text, 'docker wrote nothing')}"
