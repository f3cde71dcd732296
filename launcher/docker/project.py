"""The compose project of one system: its name, what it is told, and how to run ``docker compose`` on it."""

import hashlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from launcher.configuration import Configuration, without_settings
from launcher.docker import engine
from launcher.problem import Problem

SECRETS = ("FIZZBUZZ_API_TOKEN", "INFLUXDB_PASSWORD", "INFLUXDB_TOKEN")
"""Settings that compose must never see, since it writes what it sees into containers."""


class Project:
    """All that one system has in the engine bears this project's name, made of the path of its home."""

    def __init__(self, configuration: Configuration) -> None:
        digest = hashlib.sha256(os.fsencode(configuration.home.path)).hexdigest()[:8]
        self.name = f"fizzbuzz-{digest}"
        self.checkout = configuration.checkout
        self.file = self.checkout / "deploy" / "docker-compose.yml"
        self.secrets = configuration.home.path / "secrets"
        self.env_file = configuration.home.docker_env
        self.images_stamp = configuration.home.path / "docker-images"
        self.told = _told(configuration, self.secrets)

    def write_env_file(self) -> None:
        """For people: ``docker compose --env-file …/docker.env -f deploy/docker-compose.yml ps``."""
        lines = {"COMPOSE_PROJECT_NAME": self.name, **self.told}
        self.env_file.write_text("".join(f"{name}='{value}'\n" for name, value in lines.items()))

    def write_secrets(self, secrets: dict[str, str]) -> None:
        """One file each. The folder keeps other users out; the files are read by the containers' own user."""
        self.secrets.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.secrets.chmod(0o700)
        for name, value in secrets.items():
            path = self.secrets / name
            if not path.exists() or path.read_text() != value:
                path.write_text(value)
            path.chmod(0o444 if os.name == "posix" else 0o644)

    def command(self, *words: str) -> list[str]:
        """The command line of ``docker compose`` for this project."""
        return ["docker", "compose", "-p", self.name, "-f", str(self.file), *words]

    def environ(self) -> dict[str, str]:
        """The environment of that command: of our settings only what the file may know."""
        return {**without_settings(os.environ), **self.told}

    def run(self, failed: str, *words: str) -> str:
        """Run it to its end; its output. Raises Problem where it failed."""
        done = subprocess.run(
            self.command(*words), env=self.environ(), capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise Problem(engine.meaning(done.stderr or done.stdout, failed))
        return done.stdout

    def lines(self, log: Path, failed: str, *words: str) -> Iterator[str]:
        """Run it and give its output line by line, which is kept in ``log`` too."""
        process = subprocess.Popen(
            self.command(*words),
            env=self.environ(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
        with process, log.open("w", encoding="utf-8") as file:
            for line in process.stdout or ():
                file.write(line)
                yield line
        if process.returncode:
            raise Problem(f"{engine.meaning(log.read_text(encoding='utf-8'), failed)} (more: {log})")


def _told(configuration: Configuration, secrets: Path) -> dict[str, str]:
    settings = {
        name: value
        for name, value in configuration.given.items()
        if name not in SECRETS and not name.endswith("_FILE") and name != "FIZZBUZZ_HOME"
    }
    mount = "/run/secrets/api_token" if configuration.settings.tokens else ""
    return {**settings, "FIZZBUZZ_SECRETS": str(secrets), "FIZZBUZZ_API_TOKEN_MOUNT": mount}
