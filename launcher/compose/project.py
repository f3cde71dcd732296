"""The compose project of one system: its name, its settings, and how to run ``docker compose`` on it."""

import hashlib
import json
import os
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from launcher import log_stream, run_command
from launcher.compose import certificates, engine
from launcher.configuration import Configuration, without_settings
from launcher.containerized import redis_container_bytes
from launcher.errors import UserError
from launcher.log_line import LogLine
from launcher.mode import COMPOSE_FILE
from launcher.status import replica
from pipeline import private_file
from pipeline.settings import DECLARED

SECRETS = "secrets"
"""The service that keeps secrets in volumes, each mounted into the services that need it alone."""
_LINE = re.compile(r"(?:\x1b\[[0-9;]*[A-Za-z])?(\S+)\s+\| (\S+Z) ?(.*)")
"""Of a log: the container, the moment and what it wrote."""
_TOKEN, _TOKEN_FILE = "START_SH_TOKEN_FILE", "/secrets/api/api_token"
"""Services are passed no file of a token where there is none."""
_CONTAINER_MEMORY = "FIZZBUZZ_REDIS_CONTAINER_MEMORY"
_REPLICAS = "redis-replicas"
"""The profile with the further servers of Redis."""


class Project:
    """All that one system has in the engine bears this project's name, made of the path of its home."""

    def __init__(self, configuration: Configuration) -> None:
        digest = hashlib.sha256(os.fsencode(configuration.home.path)).hexdigest()[:8]
        self.name = f"fizzbuzz-{digest}"
        self._file = configuration.checkout / COMPOSE_FILE
        self._env_file = configuration.home.docker_env
        self._logs = configuration.home.logs
        self.settings = _settings(configuration, self._file)

    def pass_on(self, **settings: str) -> None:
        """What the compose file asks for and only the engine knows."""
        self.settings = {**self.settings, **settings}

    def write_env_file(self) -> None:
        """For users: ``docker compose --env-file …/docker.env -f deploy/docker-compose.yml ps``."""
        lines = {"COMPOSE_PROJECT_NAME": self.name, **self.settings}
        text = "".join(f"{name}={_quoted(value)}\n" for name, value in lines.items())
        private_file.write(self._env_file, text)

    def store_secrets(self, secrets: Mapping[str, str]) -> None:
        """Put them into their volumes, past every command line and environment. Raises UserError."""
        words = ("run", "--rm", "--no-deps", "-T", SECRETS, "python", "-m", "deploy.keep_secrets", "--given")
        self.run("the secrets can't be stored", *words, given=json.dumps(dict(secrets)))

    def run(self, failed: str, *words: str, given: str = "") -> str:
        """Run ``docker compose`` to its end; its output. Raises UserError where it failed."""
        command = self.command(*words)[1:]
        return engine.run(*command, failed=failed, given=given, environ=self.environ(), timeout_s=None)

    def run_logged(self, log: str, failed: str, *words: str) -> None:
        """Run ``docker compose`` with its output in a log. Raises UserError where it failed."""
        command = self.command("--progress", "plain", *words)
        run_command.logged(command, self._logs / log, failed, environ=self.environ(), meaning=engine.explain)

    def build(self, *images: str) -> None:
        """Build these images, or all of them; once more where that failed.

        At times BuildKit does not find a folder that is there, while it builds several images of it.

        Raises:
            UserError: it failed again.
        """
        words = ("docker-build.log", "building the images failed", "build", *images)
        try:
            self.run_logged(*words)
        except UserError as error:
            print(f"{error}; building them again", flush=True)
            self.run_logged(*words)

    def logs(
        self, *words: str, names: Collection[str] | None = None, follow: bool = False
    ) -> Iterator[LogLine]:
        """What containers have written; with ``follow`` also what they write until they end.

        Args:
            words: options and services of ``docker compose logs``.
            names: of the containers, as ``status`` has them, whose lines are wanted; None: all.

        Raises:
            UserError: the engine doesn't answer that.
        """

        def name_of(container: str) -> str | None:
            name = _name(container)
            return name if names is None or name in names else None

        command = self.command("logs", "--timestamps", "--no-color", *words)
        return log_stream.read(command, _LINE, name_of, "--since", follow=follow, environ=self.environ())

    def environ(self) -> dict[str, str]:
        """The environment of ``docker compose``: of our settings only what the file may know."""
        return {**without_settings(os.environ), **self.settings}

    def command(self, *words: str) -> list[str]:
        """The command line of ``docker compose`` for this project."""
        return ["docker", "compose", "-p", self.name, "-f", str(self._file), *words]


def _settings(configuration: Configuration, file: Path) -> dict[str, str]:
    """What the compose file asks for, and nothing else of environment and ``.env``; no secrets."""
    asked = set(re.findall(r"\$\{([A-Z_]+)", file.read_text(encoding="utf-8")))
    secret = {name for one in DECLARED.values() if one.secret for name in one.names}
    settings = {name: value for name, value in configuration.given.items() if name in asked - secret}
    mounted = certificates.settings(configuration)
    wanted = {_REPLICAS: configuration.settings.redis_replicas, certificates.PROFILE: mounted}
    profiles = ",".join(name for name, condition in wanted.items() if condition)
    if "FIZZBUZZ_REDIS_MEMORY" in settings:
        settings.setdefault(_CONTAINER_MEMORY, str(redis_container_bytes(configuration.settings)))
    found = {**settings, **mounted, **({"COMPOSE_PROFILES": profiles} if profiles else {})}
    return {**found, _TOKEN: _TOKEN_FILE if configuration.settings.api_token else ""}


def _name(container: str) -> str:
    service, _, number = container.rpartition("-")
    return replica(service, int(number)) if number.isdigit() else container


def _quoted(value: str) -> str:
    return '"' + re.sub(r'([\\"$])', r"\\\1", value) + '"'
