"""The system as processes of this machine."""

import shlex
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import parse_qs, urlencode

from launcher import bootstrap, log_files, readiness
from launcher.configuration import Configuration, with_absolute_paths
from launcher.errors import USAGE, UserError
from launcher.local import (
    influx_server,
    lifecycle,
    plan_builder,
    preflight,
    process_lock,
    redis_server,
)
from launcher.local import plan as plans
from launcher.local.exec_service import STOPPING
from launcher.log_line import LogLine
from launcher.mode import LOCAL
from launcher.saved_state import SavedState
from launcher.status import STOPPED, ServiceStatus
from pipeline.hosts import host_port, loopback_for
from pipeline.queue import sentinel_url

PATIENCE_S = 60.0


class LocalSystem:
    """One system in its ``FIZZBUZZ_HOME``."""

    mode = LOCAL
    runs_notebook = True

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._home = configuration.home

    def is_running(self) -> bool:
        return process_lock.is_supervised(self._home.run)

    def partly_stopped(self) -> str:
        # The command lock is held, so no other command is stopping it.
        return "a stop of it was interrupted" if (self._home.run / STOPPING).exists() else ""

    def prepare(self, saved: SavedState | None) -> None:
        plan = plans.find(self._home.run) if saved else None
        preflight.check(self._configuration, plan)

    def start(self) -> None:
        from launcher.local import supervisor  # needs the environment

        self._home.make()
        plan = plan_builder.make(self._configuration)
        own_influx = plan.find(influx_server.NAME) is not None
        if own_influx:
            influx_server.set_up_on_loopback(self._configuration)
        process_lock.kill_all(self._home.run, self._home.sockets)
        self._home.make()
        plans.write(self._home.run, plan)
        supervisor.write_configuration(self._home, plan)
        since_s = time.time()
        print(f"starting {', '.join(plan.names)}", flush=True)

        def check() -> list[ServiceStatus]:
            if process.poll() is not None:
                last = log_files.last_message(self._home.logs, process_lock.SUPERVISOR)
                raise UserError(f"Supervisor doesn't start: {last}")
            return service_checks.check(self._home, plan)

        try:
            process = supervisor.start(self._home, self._configuration.checkout, plan)
            from launcher.local import service_checks  # while Supervisor starts, since that takes a while

            while not supervisor.wake(self._home) and process.poll() is None:
                time.sleep(0.02)
            if own_influx:
                influx_server.set_up(self._configuration, influx_server.url(self._configuration))
            readiness.wait(check, self._configuration.settings, since_s, PATIENCE_S)
        except BaseException:
            process_lock.kill_all(self._home.run, self._home.sockets)
            raise

    def stop(self) -> int | None:
        if self.is_running():
            python = bootstrap.python_of(self._configuration.venv)
            return lifecycle.stop(self._home, self._configuration.checkout, python)
        process_lock.kill_all(self._home.run, self._home.sockets)
        return None

    def wipe(self) -> Iterator[str]:
        outside = list(self._outside())
        self._home.wipe()
        yield f"deleted the data in {self._home.path}"
        yield from (f"not deleted: {line}" for line in outside)

    def status(self) -> list[ServiceStatus]:
        if not self.is_running():
            return [ServiceStatus(name, STOPPED) for name in plan_builder.names(self._configuration)]
        plan = plans.read(self._home.run)
        if plan is None:
            raise UserError(f"{self._home.run / plans.NAME} is missing: ./start.sh down, then ./start.sh up")
        bootstrap.enter(self._configuration, sys.argv[1:])
        from launcher.local import service_checks  # needs the environment

        return service_checks.check(self._home, plan)

    def logs(self, service: str | None, *, follow: bool) -> Iterator[LogLine]:
        known = log_files.names(self._home.logs)
        meant = [name for name in known if service in (name, name.partition("-")[0])]
        if service and not meant:
            raise UserError(
                f"there is no log of {service}; there are: {', '.join(known) or 'none yet'}", USAGE
            )
        if service and meant != [service]:
            print(f"start.sh: {service} means {', '.join(meant)}", file=sys.stderr)
        return log_files.read(
            self._home.logs,
            wanted=lambda name: _is_wanted(name, service),
            follow=lambda: follow and self.is_running(),
        )

    def addresses(self) -> Mapping[str, str]:
        configuration, settings = self._configuration, self._configuration.settings
        found = {
            "page": readiness.page_url(settings),
            "API": readiness.api_url(settings),
            "gRPC": host_port(loopback_for(settings.grpc_bind), settings.grpc_port),
            "queue": self._rq_info(),
            "database": settings.influx_url,
        }
        if settings.store == "sqlite":
            found["database"] = str(plan_builder.sqlite_path(configuration))
        elif influx_server.is_own(configuration):
            where = f"password in {configuration.env_file} (INFLUXDB_PASSWORD)"
            found["database"] = (
                f"{influx_server.url(configuration)}, user {settings.influx_username}, {where}"
            )
        return found

    def environment(self) -> Mapping[str, str]:
        plan = plans.find(self._home.run) if self.is_running() else None
        if plan is None:
            raise UserError("the system isn't running: start it with ./start.sh up")
        found = filter(None, map(plan.find, ("producer", "web", "worker-1")))
        env = {name: value for one in found for name, value in one.env.items()}
        own = {name: value for name, value in env.items() if name != "FIZZBUZZ_PART"}
        return with_absolute_paths(own, self._configuration.checkout)

    def in_worker_container(self, words: Sequence[str]) -> None:
        return None

    def _rq_info(self) -> str:
        """The command that shows the queue; a password is not on its command line."""
        command = [str(bootstrap.python_of(self._configuration.venv)), "-m", "rq.cli", "info"]
        outside = self._configuration.outside_redis
        if outside and sentinel_url.is_sentinel(outside):
            return "docs/growth.md says how rq finds the primary"
        given = self._configuration.given.get("REDIS_URL_FILE")
        if outside and not given:
            return shlex.join([*command, "--url", _without_password(outside) + _tls_options(outside)])
        checkout = self._configuration.checkout
        file = checkout / given if given else redis_server.url_file(self._home, "worker")
        return f'RQ_REDIS_URL="$(cat {shlex.quote(str(file))})" {shlex.join(command)}'

    def _outside(self) -> Iterator[str]:
        """Data of the system that is outside of its home."""
        given = self._configuration.given
        database = plan_builder.sqlite_path(self._configuration)
        if given.get("FIZZBUZZ_SQLITE_PATH") and database.exists():
            yield f"{database} (FIZZBUZZ_SQLITE_PATH)"
        outside = {"REDIS_URL": self._configuration.outside_redis, "INFLUXDB_URL": given.get("INFLUXDB_URL")}
        for name, url in outside.items():
            if url:
                yield f"the data in {_without_password(url)} ({name})"


def _is_wanted(name: str, service: str | None) -> bool:
    """What is no service's log is for those who ask for it."""
    if service is None:
        of_another_mode = name.startswith(("docker-", "kubernetes-"))
        return name not in ("install", "launcher", "notebook") and not of_another_mode
    return service in (name, name.partition("-")[0])


def _tls_options(url: str) -> str:
    """The options of a rediss:// URL that name its files, as a query; empty where there are none."""
    options = parse_qs(url.partition("?")[2])
    files = {name: options[name][-1] for name in sentinel_url.TLS_FILES if name in options}
    return f"?{urlencode(files, safe='/')}" if files else ""


def _without_password(url: str) -> str:
    scheme, _, rest = url.partition("?")[0].partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"
