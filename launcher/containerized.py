"""What Docker and Kubernetes mode share: Redis and InfluxDB of their own, which only containers reach."""

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path

from launcher import ports, readiness
from launcher.configuration import REDIS_URLS, Configuration, parse_saved, with_absolute_paths
from launcher.errors import USAGE, UserError
from launcher.layout import Layout
from launcher.saved_state import SavedState
from launcher.status import STOPPED, ServiceStatus
from pipeline import tokens
from pipeline.hosts import host_port, loopback_for
from pipeline.queue import keys
from pipeline.settings import Settings

DRAIN_S = 4.0
PERIOD_S = 0.2
MAX_RESTARTS = 5
"""What is not healthy after so many doesn't stay up."""
COUNT_JOBS = "; ".join(
    [
        "export REDISCLI_AUTH=$(cat /secrets/redis/password)",
        *(f"redis-cli --user launcher LLEN {name}" for name in (keys.RQ_QUEUE, keys.RQ_INTERMEDIATE)),
    ]
)
"""For a shell in the container of Redis: how many jobs wait, in each list."""
REDIS_URL = "/secrets/redis/url"
"""In each container that uses Redis, of its own user."""
_LOCAL_ONLY = (*REDIS_URLS, "INFLUXDB_URL", "INFLUXDB_CA")
_NOT_PASSED = ("INFLUXDB_PASSWORD", "INFLUXDB_TOKEN_FILE")
"""To programs beside the system: its password, and the token of another InfluxDB than its own."""
_LEAST_REDIS_BYTES = 2**30
"""As compose file and manifests have it, which also request some of it."""
_MOST_REPLICAS = 2
"""Replicas of Redis in these modes."""


def lacks(services: Sequence[str], running: Collection[str]) -> str:
    """Which of the services do not run, for the user; empty where all do."""
    missing = [name for name in services if name not in running]
    return f"it runs without {', '.join(missing)}" if missing else ""


class Containerized:
    """The settings, ports and secrets of such a system, the same in an engine and in a cluster."""

    services: Sequence[str]
    """Those that run, in the order of their start."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._home = configuration.home

    def _with_missing(self, found: Iterable[ServiceStatus], there: set[str]) -> list[ServiceStatus]:
        """A status of each service, also of those that are not ``there``."""
        return [*found, *(ServiceStatus(name, STOPPED) for name in self.services if name not in there)]

    def _addresses(self, queue: str) -> dict[str, str]:
        settings = self._configuration.settings
        where = f"password in {self._configuration.env_file} (INFLUXDB_PASSWORD)"
        return {
            "page": readiness.page_url(settings),
            "API": readiness.api_url(settings),
            "queue": f"{queue} sh -c 'RQ_REDIS_URL=$(cat {REDIS_URL}) rq info'",
            "database": f"{influx_url(settings)}, user {settings.influx_username}, {where}",
        }

    def _environment(self, token: str) -> dict[str, str]:
        """How a program on this machine reaches its database."""
        given = {n: v for n, v in self._configuration.given.items() if n not in _NOT_PASSED}
        given = with_absolute_paths(given, self._configuration.checkout)
        url = influx_url(self._configuration.settings)
        return {**given, "FIZZBUZZ_STORE": "influxdb", "INFLUXDB_URL": url, "INFLUXDB_TOKEN": token}

    def _secrets(self) -> dict[str, str]:
        """What services are given in files."""
        settings = self._configuration.settings
        return {"api_token": tokens.render(settings.tokens), "influxdb_password": settings.influx_password}


def check_settings(configuration: Configuration, mode: str) -> None:
    """Raise UserError for a setting that a mode with Redis and InfluxDB of its own does not support."""
    given, origins = configuration.given, configuration.origins
    for name in _LOCAL_ONLY:
        if given.get(name):
            where = origins.get(name, "the environment")
            raise UserError(
                f"{name} (set in {where}) is not supported in {mode} mode: unset it, or use --mode local",
                USAGE,
            )
    if given.get("FIZZBUZZ_STORE", "influxdb") != "influxdb":
        raise UserError(
            f"FIZZBUZZ_STORE=sqlite: {mode} mode stores to InfluxDB; unset it, or use --mode local", USAGE
        )
    if configuration.settings.redis_replicas > _MOST_REPLICAS:
        raise UserError(
            f"FIZZBUZZ_REDIS_REPLICAS={configuration.settings.redis_replicas}: in {mode} mode at most"
            f" {_MOST_REPLICAS}"
            " (docs/growth.md)",
            USAGE,
        )
    if len(configuration.settings.influx_password) < 8:
        raise UserError(
            f"INFLUXDB_PASSWORD in {configuration.env_file} must have at least 8 characters", USAGE
        )
    _ports(configuration)


def check_ports(configuration: Configuration, saved: SavedState | None) -> None:
    """Raise UserError where a port is taken by something else than the running system ``saved``."""
    ours = _listening(saved.settings) if saved else ()
    ports.check(configuration.settings.bind, _ports(configuration), ours=ours)


def _listening(given: Mapping[str, str]) -> set[tuple[str, int]]:
    """Addresses and ports of a system that runs."""
    before = parse_saved(given, Layout(Path()), Path())
    return {(before.settings.bind, port) for port in _ports(before).values()}


def wait_until_empty(waiting: Callable[[], int], until_s: float = float("inf")) -> int:
    """Wait until no job waits, for ``DRAIN_S`` at most and not beyond ``until_s`` (monotonic).

    Returns how many jobs still wait.
    """
    until_s = min(time.monotonic() + DRAIN_S, until_s)
    left = waiting()
    while left and time.monotonic() < until_s:
        time.sleep(PERIOD_S)
        left = waiting()
    return left


def redis_container_bytes(settings: Settings) -> int:
    """The memory of the container of Redis: rewriting its log may take as much again as its data."""
    return max(2 * settings.redis_memory_bytes, _LEAST_REDIS_BYTES)


def influx_url(settings: Settings) -> str:
    """InfluxDB's address on this machine."""
    return f"http://{host_port(loopback_for(settings.bind), settings.influx_port)}"


def jobs_in(output: str) -> int:
    """How many jobs wait, from the output of ``COUNT_JOBS``."""
    return sum(int(word) for word in output.split() if word.isdigit())


def _ports(configuration: Configuration) -> dict[str, int]:
    """Those of such a system on this machine. Raises UserError where two are the same."""
    return ports.wanted(configuration, grpc=False, influx=True)
