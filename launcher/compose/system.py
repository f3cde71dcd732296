"""The system as containers."""

import contextlib
import sys
import time
from collections.abc import Iterator, Mapping, Sequence

from launcher import containerized, layout, log_stream, readiness, tls_preflight
from launcher.compose import certificates, containers, engine
from launcher.compose.containers import Container
from launcher.compose.project import Project
from launcher.configuration import Configuration
from launcher.containerized import REDIS_URL, Containerized
from launcher.errors import UserError
from launcher.log_line import LogLine
from launcher.mode import DOCKER
from launcher.saved_state import SavedState
from launcher.status import HEALTHY, ServiceStatus

PATIENCE_S = 120.0
STOP_S = 6.0
"""One deadline for all stages; ``down`` promises 10 s, and the engine's own work takes 2 to 3 of them."""
STAGE_S = 2
"""What a container has between being asked and being killed, as long as the deadline leaves it."""
_SENDERS = (("proxy", "producer", "gateway"), ("consumer",))
_WORKERS = ("worker", "web", "queue-ui")
"""Those that remain, Redis and the database, are stopped by compose; each write of theirs is on disk."""
_RUNS = {"running", "restarting", "paused"}
_DOWN = ("--profile", "*", "down", "--remove-orphans", "--timeout", "1")
"""``--profile "*"``: what an optional profile started goes too."""


class DockerSystem(Containerized):
    """One system of its ``FIZZBUZZ_HOME``, as a compose project of its own."""

    mode = DOCKER
    runs_notebook = True
    services = containers.SERVICES

    def __init__(self, configuration: Configuration) -> None:
        super().__init__(configuration)
        self._project = Project(configuration)

    def is_running(self) -> bool:
        return any(one.status in _RUNS for one in self._containers())

    def partly_stopped(self) -> str:
        running = {one.service for one in self._containers() if one.status in _RUNS}
        return containerized.lacks(self.services, running)

    def prepare(self, saved: SavedState | None) -> None:
        containerized.check_settings(self._configuration, "docker")
        tls_preflight.check_containers(self._configuration)
        certificates.check(self._configuration)
        version = engine.check()
        containerized.check_ports(self._configuration, saved)
        self._project.pass_on(START_SH_BRIDGE_MODE=engine.bridge_mode(version))
        layout.make_folder(self._home.logs)
        print("building the images that changed", flush=True)
        self._project.build()

    def start(self) -> None:
        since_s = time.time()
        self._project.write_env_file()
        self._project.store_secrets(self._secrets())
        self._copy_certificates()
        print("starting containers", flush=True)
        try:
            words = ("up", "--detach", "--wait", "--wait-timeout", str(round(PATIENCE_S)))
            try:
                self._project.run_logged("docker-up.log", "the containers don't start", *words)
            except UserError as error:
                raise self._explained(error) from None
            readiness.wait(self.status, self._configuration.settings, since_s, PATIENCE_S)
        except BaseException:
            self._project.run("docker compose down failed", *_DOWN)
            raise
        self._prune()

    def stop(self) -> int | None:
        engine.check()
        found = self._containers()
        return self._stop_gracefully(found) if found else None

    def wipe(self) -> Iterator[str]:
        self._project.run("docker compose down failed", *_DOWN, "--volumes", "--rmi", "local")
        self._prune()
        self._home.wipe()
        layout.delete(self._home.docker_env)
        yield f"deleted the containers' data, volumes and images of {self._project.name}"
        yield f"deleted the data in {self._home.path}"

    def status(self) -> list[ServiceStatus]:
        found = [one for one in self._containers() if not one.is_done]
        return self._with_missing((one.service_status() for one in found), {one.service for one in found})

    def logs(self, service: str | None, *, follow: bool) -> Iterator[LogLine]:
        found = self._containers()
        own = {f"{one.service}-{one.id[:12]}": one.name for one in found}  # as it calls itself in its lines
        meant = log_stream.select(found, own.get(service or "", service))
        if service is None:
            return self._project.logs(follow=follow)
        services = sorted({one.service for one in meant})
        return self._project.logs(*services, names=[one.name for one in meant], follow=follow)

    def addresses(self) -> Mapping[str, str]:
        worker = next((one.id[:12] for one in self._containers() if one.service == "worker"), "WORKER")
        return self._addresses(f"docker exec {worker}")

    def environment(self) -> Mapping[str, str]:
        running = {one.service: one.id for one in self._containers() if one.status == "running"}
        if not {"web", "worker"} <= running.keys():
            raise UserError("the system isn't running: start it with ./start.sh up")
        return {
            **self._environment(engine.run("exec", running["web"], "cat", "/tokens/read/token").strip()),
            # Redis can't be reached from outside its networks; the worker can read the queue.
            "REDIS_URL": engine.run("exec", running["worker"], "cat", REDIS_URL).strip(),
            "NOTEBOOK_QUEUE_SHELL": f"docker exec -e RQ_REDIS_URL {running['worker']}",
        }

    def in_worker_container(self, words: Sequence[str]) -> tuple[list[str], Mapping[str, str]]:
        terminal = sys.stdin.isatty() and sys.stdout.isatty()
        command = self._project.command("exec", *([] if terminal else ["-T"]), "worker", *words)
        return command, self._project.environ()

    def _copy_certificates(self) -> None:
        """For services that start; from then on the service ``certificates`` copies what is renewed."""
        if not (self._configuration.settings.tls or self._configuration.settings.grpc_tls):
            return
        try:
            self._project.run("the certificates can't be copied", *certificates.COPY)
        except UserError as error:
            raise UserError(certificates.explain(self._configuration, str(error))) from None

    def _stop_gracefully(self, found: list[Container]) -> int:
        """Senders first; then the queue runs empty, for ``DRAIN_S`` at most; then the rest. The data stays.

        Returns how many jobs still waited in the queue.
        """
        deadline = time.monotonic() + STOP_S
        for services in _SENDERS:
            _stop(found, services, deadline)
        redis = next((one for one in found if one.service == "redis" and one.status == "running"), None)
        left = containerized.wait_until_empty(lambda: _waiting(redis), deadline) if redis else 0
        _stop(found, _WORKERS, deadline)
        self._project.run("docker compose down failed", *_DOWN)
        return left

    def _explained(self, error: UserError) -> UserError:
        """If a container exited or is unhealthy, its last log line explains more than compose's error."""
        for one in self._containers():
            status = one.service_status()
            if not one.is_done and status.state != HEALTHY and one.status != "created":
                lines = [line.message for line in self._project.logs("--tail", "1", one.service)]
                last = lines[-1] if lines else "no log output"
                return UserError(
                    f"{one.name} does not start: {status.reason or status.state}; its last log line: {last}"
                )
        return error

    def _prune(self) -> None:
        """Each build leaves the images behind that it replaced."""
        engine.run("image", "prune", "--force", "--filter", self._label())

    def _label(self) -> str:
        return f"label=com.docker.compose.project={self._project.name}"

    def _containers(self) -> list[Container]:
        return containers.find(self._project.name)


def _stop(found: list[Container], services: tuple[str, ...], deadline: float) -> None:
    """Ask all containers of these services at once; who has not ended in time is killed."""
    ids = [one.id for one in found if one.service in services and one.status != "exited"]
    if ids:
        patience_s = max(0, min(STAGE_S, int(deadline - time.monotonic())))
        with contextlib.suppress(UserError):  # one was removed meanwhile; compose reports what stays, if any
            engine.run("stop", "--time", str(patience_s), *ids)


def _waiting(redis: Container) -> int:
    """How many jobs wait; a Redis that does not answer has nothing that could be waited for."""
    try:
        return containerized.jobs_in(
            engine.run("exec", redis.id, "sh", "-c", containerized.COUNT_JOBS, timeout_s=1.0)
        )
    except UserError:
        return 0
