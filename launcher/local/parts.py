"""Makes the plan of a system from its configuration."""

from pathlib import Path

from launcher import ports
from launcher.configuration import Configuration
from launcher.local import influx_server, redis_server, supervisor, telling
from launcher.local.plan import Part, Plan
from pipeline.settings import host_port, loopback_for


def make(configuration: Configuration, python: Path) -> Plan:
    """The parts that these settings ask for.

    Raises:
        Problem: there is no Redis to be had.
    """
    parts = tuple(_part(configuration, python, name) for name in names(configuration))
    listened = tuple(wanted_ports(configuration).values())
    return Plan(supervisor.part(configuration.home, python), parts, listened)


def wanted_ports(configuration: Configuration) -> dict[str, int]:
    """The TCP ports of all parts, by the names of their settings. Raises Problem where two are the same."""
    return ports.wanted(configuration, grpc=True, influx=influx_server.is_own(configuration))


def names(configuration: Configuration) -> list[str]:
    """The names of all parts, in the order in which they start."""
    redis = [] if configuration.given.get("REDIS_URL") else ["redis"]
    influx = [influx_server.NAME] if influx_server.is_own(configuration) else []
    workers = [f"worker-{number}" for number in range(1, configuration.settings.workers + 1)]
    return [*redis, *influx, "web", *workers, "consumer", "gateway", "producer"]


def _redis(configuration: Configuration, python: Path) -> Part:
    program = redis_server.find(python)
    data = configuration.home.data / "redis"
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    redis_server.check_data(program, data)
    memory_bytes = configuration.settings.redis_memory_bytes
    argv = redis_server.argv(program, data, telling.redis_socket(configuration), memory_bytes)
    return Part("redis", argv, {}, telling.redis_url(configuration))


def influx(configuration: Configuration) -> Part:
    """The system's own InfluxDB, where the settings want it."""
    settings = configuration.settings
    return _influx(configuration, settings.bind, influx_server.url(configuration))


def influx_for_setup(configuration: Configuration) -> Part:
    """The same on the loopback: whoever reaches one that was not set up could make it his own."""
    return _influx(configuration, "127.0.0.1", influx_server.setup_url(configuration))


def _influx(configuration: Configuration, bind: str, url: str) -> Part:
    data = configuration.home.data / "influxdb"
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    argv = influx_server.argv(influx_server.find(), data, bind, configuration.settings.influx_port)
    return Part(influx_server.NAME, argv, {}, f"{url}/health")


def _part(configuration: Configuration, python: Path, name: str) -> Part:
    if name == "redis":
        return _redis(configuration, python)
    if name == influx_server.NAME:
        return influx(configuration)
    return _service(configuration, python, name)


def _service(configuration: Configuration, python: Path, name: str) -> Part:
    module = "consumer.run_worker" if name.startswith("worker-") else name
    return Part(
        name, (str(python), "-m", module), telling.environ(configuration, name), _ready(configuration, name)
    )


def _ready(configuration: Configuration, name: str) -> str:
    settings = configuration.settings
    ports = {"web": settings.web_port, "gateway": settings.gateway_port}
    return f"http://{host_port(loopback_for(settings.bind), ports[name])}/readyz" if name in ports else ""
