"""The system as processes of this machine."""

import time
from collections.abc import Iterator
from pathlib import Path

from launcher import log_files, mode, ports, venv
from launcher.configuration import Configuration
from launcher.local import (
    bring,
    health,
    hold,
    influx_server,
    left_behind,
    outside_data,
    outside_redis,
    parts,
    shown,
    stop,
    supervisor,
    telling,
)
from launcher.local import plan as plans
from launcher.local.outside_data import without_password
from launcher.local.plan import DamagedPlan, Plan
from launcher.log_line import LogLine
from launcher.problem import USAGE, Problem
from launcher.status import STOPPED, PartStatus
from pipeline.settings import host_port, loopback_for


class LocalSystem:
    """One system in its ``FIZZBUZZ_HOME``."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._home = configuration.home

    def up(self) -> None:
        configuration = self._configuration
        supervisor.check_paths(configuration.home.path, configuration.checkout, configuration.venv)
        self._home.make()
        running = self._running()
        self._check_redis(running)
        self._check_ports(running)
        python = venv.ensure(self._configuration)
        if configuration.given.get("REDIS_URL") and not running:
            left_behind.check(self._home, python)
        venv.build_stubs(self._configuration, python)
        plan = parts.make(self._configuration, python)
        if running:
            self._go_on(running, plan)
        else:
            self._start(plan, python)

    def down(self, *, wipe: bool) -> None:
        supervised = health.is_supervised(self._home.run)
        plan = self._readable_plan()
        if supervised:
            self._stop(plan)
        else:
            stop.at_once(self._home)
        print("stopped" if supervised else "nothing was running")
        if wipe:
            self._home.wipe()
            print(f"deleted the data in {self._home.path}")
            for line in outside_data.left(self._configuration, plan):
                print(f"left as it is: {line}")

    def status(self) -> list[PartStatus]:
        supervised = health.is_supervised(self._home.run)
        kept = plans.read(bring.plan_path(self._home)) if supervised else self._readable_plan()
        if kept:
            return health.look(kept, self._home.run)
        return [PartStatus(name, STOPPED) for name in parts.names(self._configuration)]

    def logs(self, part: str | None, *, follow: bool) -> Iterator[LogLine]:
        known = log_files.names(self._home.logs)
        if part and not any(_is_called(name, part) for name in known):
            raise Problem(f"there is no log of {part}; there are: {', '.join(known) or 'none yet'}", USAGE)
        return log_files.read(self._home.logs, wanted=lambda name: _is_wanted(name, part), follow=follow)

    def addresses(self) -> dict[str, str]:
        settings = self._configuration.settings
        host = loopback_for(settings.bind)
        found = {
            "page": shown.page(settings),
            "API": f"http://{host_port(host, settings.gateway_port)}/messages",
            "gRPC": host_port(loopback_for(settings.grpc_bind), settings.grpc_port),
            "queue": f"{self._rq()} info --url {without_password(telling.redis_url(self._configuration))}",
            "database": settings.influx.url,
        }
        if settings.store == "sqlite":
            found["database"] = str(telling.sqlite_path(self._configuration))
        elif influx_server.is_own(self._configuration):
            user = self._configuration.given.get("INFLUXDB_USERNAME", "admin")
            password = f"{self._configuration.env_file} (INFLUXDB_PASSWORD)"
            found["database"] = (
                f"{influx_server.url(self._configuration)}, user {user}, password in {password}"
            )
        return found

    def environment(self) -> dict[str, str]:
        running = self._running()
        web, producer = (running.find(name) if running else None for name in ("web", "producer"))
        if web is None or producer is None:
            raise Problem("the system isn't running: start it with ./start.sh up")
        told = {**producer.env, **web.env}
        return {name: value for name, value in told.items() if name != "FIZZBUZZ_PART"}

    def _running(self) -> Plan | None:
        """The plan of the processes that run now."""
        if not health.is_supervised(self._home.run):
            return None
        return plans.read(bring.plan_path(self._home))

    def _readable_plan(self) -> Plan | None:
        """The plan that was kept; None where it is damaged."""
        try:
            return plans.read(bring.plan_path(self._home))
        except DamagedPlan:
            return None

    def _stop(self, plan: Plan | None) -> None:
        """Where the plan is damaged, the files of the parts themselves name them."""
        names = plan.names if plan else hold.names(self._home.run)
        consumer = plan.find("consumer") if plan else None
        url = consumer.env["REDIS_URL"] if consumer else telling.redis_url(self._configuration)
        left = stop.orderly(self._home, names, url)
        if left:
            print(f"{left} jobs still wait in the queue; the next start stores them")

    def _start(self, plan: Plan, python: Path) -> None:
        since_s = time.time()
        print(f"starting {', '.join(plan.names)}", flush=True)
        mode.remember(self._configuration, mode.LOCAL)
        try:
            if plan.find(influx_server.NAME):
                self._start_with_influx(plan, python)
            else:
                bring.start(self._configuration, plan)
            shown.wait(self._configuration.settings, plan, self._home, since_s)
        except BaseException:
            stop.at_once(self._home)
            mode.forget(self._configuration)
            raise

    def _start_with_influx(self, plan: Plan, python: Path) -> None:
        """The services need tokens, and these are made by the running database, on the loopback as yet."""
        servers = plan.only("redis", influx_server.NAME).replaced(parts.influx_for_setup(self._configuration))
        bring.start(self._configuration, servers)
        shown.wait_until_ready(servers, self._home)
        influx_server.set_up(self._configuration, python)
        bring.change(self._configuration, servers, plan)

    def _go_on(self, running: Plan, plan: Plan) -> None:
        if running == plan:
            print("it runs already", flush=True)
        elif running.find(influx_server.NAME) != plan.find(influx_server.NAME):
            raise Problem("another database can't be had while it runs: ./start.sh down, then up again")
        else:
            touched = bring.change(self._configuration, running, plan)
            print(f"settings have changed; made anew: {', '.join(touched)}", flush=True)
        shown.wait(self._configuration.settings, plan, self._home, 0)

    def _check_redis(self, running: Plan | None) -> None:
        """What was accepted waits in the Redis that the running system has, so that one can't be changed."""
        consumer = running.find("consumer") if running else None
        if consumer and consumer.env["REDIS_URL"] != telling.redis_url(self._configuration):
            raise Problem("REDIS_URL can't be changed while the system runs: ./start.sh down, then up")
        given = self._configuration.given.get("REDIS_URL")
        if given:
            outside_redis.check(given)

    def _check_ports(self, running: Plan | None) -> None:
        """Only ports that this system doesn't have already must be free."""
        ours = running.ports if running else ()
        wanted = parts.wanted_ports(self._configuration)
        free = {name: port for name, port in wanted.items() if port not in ours}
        settings = self._configuration.settings
        inner = {name: free.pop(name) for name in ("FIZZBUZZ_GRPC_PORT",) if name in free}
        ports.check(settings.bind, free)
        ports.check(settings.grpc_bind, inner, "FIZZBUZZ_GRPC_BIND")
        ports.check(settings.metrics_bind, {"FIZZBUZZ_METRICS_PORT": 0}, "FIZZBUZZ_METRICS_BIND")

    def _rq(self) -> Path | str:
        python = venv.python(self._configuration)
        return python.with_name("rq") if python else "rq"


def _is_wanted(name: str, part: str | None) -> bool:
    """The log of the installation is long, and of a part that is not running: for those who ask for it."""
    return _is_called(name, part) if part else name != "install"


def _is_called(name: str, part: str) -> bool:
    return name == part or name.startswith(f"{part}-")
