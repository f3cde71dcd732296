"""Makes the plan of a system from its configuration."""

from pathlib import Path

from launcher import bootstrap, ports, readiness
from launcher.configuration import Configuration
from launcher.local import influx_server, redis_server
from launcher.local.plan import Plan, ProcessPlan
from pipeline.settings import received_by


def make(configuration: Configuration) -> Plan:
    """The processes that these settings ask for.

    Raises:
        UserError: there is no Redis, or no InfluxDB.
    """
    python = bootstrap.python_of(configuration.venv)
    processes = tuple(_process(configuration, python, name) for name in names(configuration))
    listened = tuple(wanted_ports(configuration).values())
    return Plan(str(python), processes, listened)


def wanted_ports(configuration: Configuration) -> dict[str, int]:
    """The TCP ports of all services, by their settings. Raises UserError where two are the same."""
    return ports.wanted(configuration, grpc=True, influx=influx_server.is_own(configuration))


def names(configuration: Configuration) -> list[str]:
    """The names of all services, in the order in which they start."""
    redis = [] if configuration.outside_redis else ["redis"]
    influx = [influx_server.NAME] if influx_server.is_own(configuration) else []
    workers = [f"worker-{number}" for number in range(1, configuration.settings.workers + 1)]
    return [*redis, *influx, "web", *workers, "consumer", "gateway", "producer"]


def environ(configuration: Configuration, name: str) -> dict[str, str]:
    """The settings that the service ``name`` is passed."""
    kind = name.partition("-")[0]
    known = {
        **configuration.given,
        "FIZZBUZZ_PART": name,
        "FIZZBUZZ_RUN_DIR": str(configuration.home.run),
        "FIZZBUZZ_SQLITE_PATH": str(sqlite_path(configuration)),
    }
    if configuration.settings.tls:
        known.setdefault("FIZZBUZZ_GATEWAY_URL", configuration.settings.gateway_url)
    if not configuration.outside_redis:
        known["REDIS_URL_FILE"] = str(redis_server.url_file(configuration.home, kind))
    if influx_server.is_own(configuration):
        action = "write" if kind == "worker" else "read"
        known["INFLUXDB_URL"] = influx_server.url(configuration)
        known["INFLUXDB_TOKEN_FILE"] = str(influx_server.token_file(configuration, action))
    known.pop("FIZZBUZZ_METRICS_PORT", None)  # on one machine each service uses a free one
    return dict(sorted(received_by(kind, known).items()))


def sqlite_path(configuration: Configuration) -> Path:
    """The database file."""
    given = configuration.given.get("FIZZBUZZ_SQLITE_PATH")
    return configuration.checkout / given if given else configuration.home.data / "messages.db"


def _process(configuration: Configuration, python: Path, name: str) -> ProcessPlan:
    if name == "redis":
        return _redis(configuration, python)
    if name == influx_server.NAME:
        return _influx(configuration)
    return _service(configuration, python, name)


def _redis(configuration: Configuration, python: Path) -> ProcessPlan:
    program = redis_server.find(python)
    data = configuration.home.data / "redis"
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    redis_server.check_data(program, data)
    memory_bytes = configuration.settings.redis_memory_bytes
    users = redis_server.keep_users(configuration.home, program)
    socket = configuration.home.sockets / "redis.sock"
    argv = redis_server.argv(program.path, data, socket, memory_bytes, users)
    return ProcessPlan("redis", argv, {}, redis_server.url(configuration.home), note=program.described)


def _influx(configuration: Configuration) -> ProcessPlan:
    data = configuration.home.data / "influxdb"
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings = configuration.settings
    argv = influx_server.argv(influx_server.find(), data, settings.bind, settings.influx_port)
    health = f"{influx_server.url(configuration)}/health"
    return ProcessPlan(influx_server.NAME, argv, {}, health, stop_signal="INT")  # it ignores TERM


def _service(configuration: Configuration, python: Path, name: str) -> ProcessPlan:
    kind = name.partition("-")[0]
    waits_for = ""
    if kind in ("web", "worker") and influx_server.is_own(configuration):
        waits_for = str(influx_server.set_up_file(configuration))
    return ProcessPlan(
        name,
        (str(python), "-m", kind),
        environ(configuration, name),
        _ready(configuration, name),
        waits_for,
    )


def _ready(configuration: Configuration, name: str) -> str:
    settings = configuration.settings
    found = {"web": settings.web_port, "gateway": settings.gateway_port}
    return f"{readiness.service_url(settings, found[name])}/readyz" if name in found else ""
