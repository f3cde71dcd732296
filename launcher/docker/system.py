"""The system as containers."""

import time
from collections.abc import Iterator

from launcher import env_file, mode, ports
from launcher.configuration import Configuration
from launcher.docker import bring, containers, engine, images, logs, ready, stop
from launcher.docker.containers import Container
from launcher.docker.project import Project
from launcher.log_line import LogLine
from launcher.problem import USAGE, Problem
from launcher.status import STOPPED, PartStatus
from pipeline import tokens
from pipeline.declaration import SettingsError
from pipeline.settings import host_port, loopback_for, require_guard

_LOCAL_ONLY = ("REDIS_URL", "INFLUXDB_URL")


class DockerSystem:
    """One system of its ``FIZZBUZZ_HOME``, as a compose project of its own."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._project = Project(configuration)

    def up(self) -> None:
        self._check_settings()
        wanted = ports.wanted(self._configuration, grpc=False, influx=True)
        engine.check()
        self._project.tell(FIZZBUZZ_GATEWAY_MODE=engine.gateway_mode(engine.version()))
        before = self._containers()
        running = any(one.status == "running" for one in before)
        self._write_files()
        if running:
            print("it runs already", flush=True)
        else:
            ports.check(self._configuration.settings.bind, wanted)
        images.build(self._project, self._configuration.home.logs)
        mode.remember(self._configuration, mode.DOCKER)
        try:
            self._start(before, since_s=0 if running else time.time())
        except BaseException:
            if not running:
                self._project.run("docker compose down failed", "down", "--timeout", "2")
                mode.forget(self._configuration)
            raise

    def down(self, *, wipe: bool) -> None:
        engine.check()
        found = self._containers()
        left = stop.orderly(self._project, found) if found else 0
        if left:
            print(f"{left} jobs still wait in the queue; the next start stores them")
        print("stopped" if found else "nothing was running")
        if wipe:
            stop.wipe(self._project, self._configuration.home)
            print(f"deleted the containers' data, volumes and images of {self._project.name}")

    def status(self) -> list[PartStatus]:
        found = [one for one in self._containers() if not one.is_done]
        there = {one.service for one in found}
        missing = [name for name in containers.SERVICES if name not in there and name != containers.SETUP]
        return [*(one.part_status() for one in found), *(PartStatus(name, STOPPED) for name in missing)]

    def logs(self, part: str | None, *, follow: bool) -> Iterator[LogLine]:
        found = self._containers()
        wanted = [one for one in found if part in (None, one.name, one.service)]
        if part and not wanted:
            known = ", ".join(one.name for one in found) or "none yet"
            raise Problem(f"there is no log of {part}; there are: {known}", USAGE)
        return logs.read(wanted, follow=follow)

    def addresses(self) -> dict[str, str]:
        settings, given = self._configuration.settings, self._configuration.given
        host = loopback_for(settings.bind)
        user = given.get("INFLUXDB_USERNAME", "admin")
        worker = next((one.id[:12] for one in self._containers() if one.service == "worker"), "WORKER")
        return {
            "page": ready.page(settings),
            "API": f"http://{host_port(host, settings.gateway_port)}/messages",
            "queue": f"docker exec {worker} rq info --url redis://redis:6379/0",
            "database": f"{self._influx_url()} (user {user}, password in {self._configuration.env_file})",
        }

    def environment(self) -> dict[str, str]:
        running = {one.service: one for one in self._containers() if one.status == "running"}
        if not {"web", "worker"} <= running.keys():
            raise Problem("the system isn't running: start it with ./start.sh up")
        token = containers.run("exec", running["web"].id, "cat", "/tokens/read/token").strip()
        return {
            **{
                name: value
                for name, value in self._configuration.given.items()
                if name != "INFLUXDB_PASSWORD"
            },
            "FIZZBUZZ_STORE": "influxdb",
            "INFLUXDB_URL": self._influx_url(),
            "INFLUXDB_TOKEN": token,
            # Redis can't be reached from outside its networks; the worker can look at the queue.
            "REDIS_URL": "redis://redis:6379/0",
            "NOTEBOOK_QUEUE_SHELL": f"docker exec -e RQ_REDIS_URL {running['worker'].id}",
        }

    def _check_settings(self) -> None:
        try:
            require_guard(self._configuration.settings)
        except SettingsError as error:
            raise Problem(str(error), USAGE) from None
        given = self._configuration.given
        for name in _LOCAL_ONLY:
            if given.get(name):
                raise Problem(
                    f"{name} is set, but in docker mode that is a container: unset it, or use --mode local",
                    USAGE,
                )
        if given.get("FIZZBUZZ_STORE", "influxdb") != "influxdb":
            raise Problem(
                "FIZZBUZZ_STORE=sqlite: docker mode stores to InfluxDB; unset it, or use --mode local", USAGE
            )

    def _write_files(self) -> None:
        configuration = self._configuration
        for folder in (configuration.home.path, configuration.home.logs):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        env_file.create(configuration.env_file, configuration.given)
        secrets = {**env_file.read(configuration.env_file), **configuration.given}
        if len(secrets.get("INFLUXDB_PASSWORD", "")) < 8:
            raise Problem(
                f"INFLUXDB_PASSWORD in {configuration.env_file} must have at least 8 characters", USAGE
            )
        self._project.write_secrets(
            {
                "api_token": tokens.render(configuration.settings.tokens),
                "influxdb_password": secrets["INFLUXDB_PASSWORD"],
            }
        )
        self._project.write_env_file()

    def _start(self, before: list[Container], since_s: float) -> None:
        bring.start(self._project, self._configuration.home.logs)
        bring.hand_out_new_tokens(self._project, before)
        ready.wait(self._project, self._configuration.settings, since_s)

    def _containers(self) -> list[Container]:
        return containers.find(self._project.name)

    def _influx_url(self) -> str:
        settings = self._configuration.settings
        return f"http://{host_port(loopback_for(settings.bind), settings.influx_port)}"
