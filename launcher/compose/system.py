"""The system as containers."""

import sys
import time
from collections.abc import Iterator, Mapping

from launcher import ports, readiness
from launcher.compose import containers, engine, logs
from launcher.compose.containers import Container
from launcher.compose.project import Project
from launcher.configuration import Configuration
from launcher.errors import USAGE, UserError
from launcher.log_line import LogLine
from launcher.saved_state import SavedState
from launcher.status import HEALTHY, STOPPED, ServiceStatus
from pipeline.settings import host_port, loopback_for

PATIENCE_S = 120.0
STOP_S = 8.0
"""For all stages of a stop; ``down`` promises 10 s."""
DRAIN_S = 4.0
PERIOD_S = 0.2
_LISTS = ("rq:queue:messages", "rq:queue:messages:intermediate")
_LOCAL_ONLY = ("REDIS_URL", "INFLUXDB_URL")


class DockerSystem:
    """One system of its ``FIZZBUZZ_HOME``, as a compose project of its own."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._home = configuration.home
        self._project = Project(configuration)

    def is_running(self) -> bool:
        return any(one.status in ("running", "restarting") for one in self._containers())

    def prepare(self, saved: SavedState | None) -> None:
        self._check_settings()
        wanted = ports.wanted(self._configuration, grpc=False, influx=True)
        engine.check()
        ours = {saved.settings.get(name) for name in wanted} if saved else set()
        if not saved:
            ports.check(self._configuration.settings.bind, wanted)
        else:
            free = {n: p for n, p in wanted.items() if str(p) not in ours and n in saved.settings}
            ports.check(self._configuration.settings.bind, free)
        self._home.logs.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self._has_images():
            engine.check_space()
        print("building the images, where something has changed", flush=True)
        self._project.run_logged("docker-build.log", "building the images failed", "build")

    def start(self) -> None:
        since_s = time.time()
        self._project.write_env_file()
        self._project.store_secrets(self._secrets())
        print("starting containers", flush=True)
        try:
            words = ("up", "--detach", "--wait", "--wait-timeout", str(round(PATIENCE_S)))
            try:
                self._project.run_logged("docker-up.log", "the containers don't start", *words)
            except UserError as error:
                raise self._explained(error) from None
            readiness.wait(self.status, self._configuration.settings, since_s, PATIENCE_S)
        except BaseException:
            self._project.run("docker compose down failed", *_down(2))
            raise
        self._prune()

    def stop(self, *, wipe: bool) -> None:
        engine.check()
        found = self._containers()
        if found:
            self._stop_gracefully(found)
            print("stopped")
        if wipe:
            words = (*_down(2), "--volumes", "--rmi", "local")
            self._project.run("docker compose down failed", *words)
            self._prune()
            self._home.wipe()
            print(f"deleted the containers' data, volumes and images of {self._project.name}")

    def status(self) -> list[ServiceStatus]:
        found = [one for one in self._containers() if not one.is_done]
        there = {one.service for one in found}
        missing = [ServiceStatus(name, STOPPED) for name in containers.SERVICES if name not in there]
        return [*(one.service_status() for one in found), *missing]

    def logs(self, service: str | None, *, follow: bool) -> Iterator[LogLine]:
        found = self._containers()
        meant = [one for one in found if service in (None, one.name, one.service)]
        if service and not meant:
            known = ", ".join(one.name for one in found) or "none yet"
            raise UserError(f"there is no log of {service}; there are: {known}", USAGE)
        names = [one.name for one in meant]
        if service and names != [service]:
            print(f"start.sh: {service} means {', '.join(names)}", file=sys.stderr)
        services = sorted({one.service for one in meant}) if service else []
        lines = logs.read(self._project, services, follow=follow)
        return (line for line in lines if service is None or line.part in names or service in services)

    def addresses(self) -> Mapping[str, str]:
        settings = self._configuration.settings
        worker = next((one.id[:12] for one in self._containers() if one.service == "worker"), "WORKER")
        where = f"password in {self._configuration.env_file} (INFLUXDB_PASSWORD)"
        return {
            "page": readiness.page_url(settings),
            "API": f"http://{host_port(loopback_for(settings.bind), settings.gateway_port)}/messages",
            "queue": f"docker exec {worker} rq info --url redis://redis:6379/0",
            "database": f"{self._influx_url()}, user {settings.influx_username}, {where}",
        }

    def environment(self) -> Mapping[str, str]:
        running = {one.service: one for one in self._containers() if one.status == "running"}
        if not {"web", "worker"} <= running.keys():
            raise UserError("the system isn't running: start it with ./start.sh up")
        token = engine.run("exec", running["web"].id, "cat", "/tokens/read/token").strip()
        given = {n: v for n, v in self._configuration.given.items() if n != "INFLUXDB_PASSWORD"}
        return {
            **given,
            "FIZZBUZZ_STORE": "influxdb",
            "INFLUXDB_URL": self._influx_url(),
            "INFLUXDB_TOKEN": token,
            # Redis can't be reached from outside its networks; the worker can look at the queue.
            "REDIS_URL": "redis://redis:6379/0",
            "NOTEBOOK_QUEUE_SHELL": f"docker exec {running['worker'].id}",
        }

    def _check_settings(self) -> None:
        given, origins = self._configuration.given, self._configuration.origins
        for name in _LOCAL_ONLY:
            if given.get(name):
                where = origins.get(name, "the environment")
                raise UserError(
                    f"{name} (set in {where}) is not supported in docker mode: unset it, or use --mode local",
                    USAGE,
                )
        if given.get("FIZZBUZZ_STORE", "influxdb") != "influxdb":
            raise UserError(
                "FIZZBUZZ_STORE=sqlite: docker mode stores to InfluxDB; unset it, or use --mode local", USAGE
            )
        if len(self._configuration.settings.influx_password) < 8:
            raise UserError(
                f"INFLUXDB_PASSWORD in {self._configuration.env_file} must have at least 8 characters", USAGE
            )

    def _secrets(self) -> dict[str, str]:
        settings = self._configuration.settings
        return {"api_token": settings.api_token, "influxdb_password": settings.influx_password}

    def _stop_gracefully(self, found: list[Container]) -> None:
        """Senders first; then the queue runs empty, for ``DRAIN_S`` at most; then the rest."""
        deadline = time.monotonic() + STOP_S
        running = {one.service for one in found if one.status == "running"}
        senders = [name for name in ("proxy", "producer", "gateway", "consumer") if name in running]
        if senders:
            self._project.run("the senders don't stop", "stop", "--timeout", "5", *senders)
        redis = next((one for one in found if one.service == "redis" and one.status == "running"), None)
        drained = min(time.monotonic() + DRAIN_S, deadline)
        while redis and time.monotonic() < drained and _waiting(redis):
            time.sleep(PERIOD_S)
        left_s = max(round(deadline - time.monotonic()), 1)
        self._project.run("docker compose down failed", *_down(left_s))

    def _explained(self, error: UserError) -> UserError:
        """If a container exited or is unhealthy, its last log line explains more than compose's error."""
        for one in self._containers():
            status = one.service_status()
            if not one.is_done and status.state != HEALTHY and one.status != "created":
                said = logs.last_message(self._project, one)
                return UserError(
                    f"{one.name} does not start: {status.reason or status.state}; it says: {said}"
                )
        return error

    def _has_images(self) -> bool:
        return bool(engine.run("images", "--quiet", "--filter", self._label()).split())

    def _prune(self) -> None:
        """Each build leaves the images behind that it replaced."""
        engine.run("image", "prune", "--force", "--filter", self._label())

    def _label(self) -> str:
        return f"label=com.docker.compose.project={self._project.name}"

    def _containers(self) -> list[Container]:
        return containers.find(self._project.name)

    def _influx_url(self) -> str:
        settings = self._configuration.settings
        return f"http://{host_port(loopback_for(settings.bind), settings.influx_port)}"


def _down(timeout_s: int) -> tuple[str, ...]:
    """``--profile "*"``: what an optional profile started goes too."""
    return ("--profile", "*", "down", "--remove-orphans", "--timeout", str(timeout_s))


def _waiting(redis: Container) -> bool:
    """Whether jobs wait; a Redis that does not answer has nothing that could be waited for."""
    try:
        told = [engine.run("exec", redis.id, "redis-cli", "LLEN", name, timeout_s=2.0) for name in _LISTS]
    except UserError:
        return False
    return any(text.strip() not in ("", "0") for text in told)
