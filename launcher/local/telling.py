"""What each part is told: its settings, and no secret that it has no use for."""

from pathlib import Path

from launcher.configuration import Configuration, is_setting
from launcher.local import influx_server

_ONLY_FOR = {
    "FIZZBUZZ_API_TOKEN": ("gateway", "producer"),
    "FIZZBUZZ_BURST": ("producer",),
    "FIZZBUZZ_BURST_SPAN_MS": ("producer",),
    "FIZZBUZZ_GATEWAY_PROCESSES": ("gateway",),
    "FIZZBUZZ_METRICS_PORT": (),  # on one machine each part takes a free one
    "FIZZBUZZ_RATE": ("producer",),
    "FIZZBUZZ_REDIS_MEMORY": (),
    "FIZZBUZZ_SQLITE_PATH": ("worker", "web"),
    "FIZZBUZZ_VENV": (),
    "FIZZBUZZ_WORKERS": (),
    "INFLUXDB_BUCKET": ("worker", "web"),
    "INFLUXDB_ORG": ("worker", "web"),
    "INFLUXDB_PASSWORD": (),
    "INFLUXDB_TOKEN": ("worker", "web"),
    "INFLUXDB_URL": ("worker", "web"),
    "INFLUXDB_USERNAME": (),
    "REDIS_URL": ("consumer", "worker", "web"),
}
"""Who is told a setting; those that aren't here, everybody is. Nobody is told a secret without need."""


def environ(configuration: Configuration, name: str) -> dict[str, str]:
    """The settings that the part ``name`` is told."""
    kind = name.partition("-")[0]
    known = {
        **{key: value for key, value in configuration.given.items() if is_setting(key)},
        "FIZZBUZZ_PART": name,
        "FIZZBUZZ_RUN_DIR": str(configuration.home.run),
        "FIZZBUZZ_SQLITE_PATH": str(sqlite_path(configuration)),
        "REDIS_URL": redis_url(configuration),
    }
    if influx_server.is_own(configuration):
        action = "write" if kind == "worker" else "read"
        known["INFLUXDB_URL"] = influx_server.url(configuration)
        known["INFLUXDB_TOKEN_FILE"] = str(influx_server.token_file(configuration, action))
    return {key: value for key, value in sorted(known.items()) if _may_know(kind, key)}


def _may_know(kind: str, key: str) -> bool:
    """A file that holds a secret is for those whom the secret is for."""
    return kind in _ONLY_FOR.get(key.removesuffix("_FILE"), (kind,))


def redis_url(configuration: Configuration) -> str:
    """The outside Redis, or this system's own."""
    return configuration.given.get("REDIS_URL") or f"unix://{redis_socket(configuration)}"


def sqlite_path(configuration: Configuration) -> Path:
    """The database file."""
    given = configuration.given.get("FIZZBUZZ_SQLITE_PATH")
    return configuration.checkout / given if given else configuration.home.data / "messages.db"


def redis_socket(configuration: Configuration) -> Path:
    """Where this system's own Redis listens."""
    return configuration.home.sockets / "redis.sock"
