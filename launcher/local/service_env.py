"""Which settings each service is passed: those that it needs, and no other."""

from pathlib import Path

from launcher.configuration import Configuration
from launcher.local import influx_server
from pipeline.settings import received_by


def environ(configuration: Configuration, name: str) -> dict[str, str]:
    """The settings that the service ``name`` is passed."""
    kind = name.partition("-")[0]
    known = {
        **configuration.given,
        "FIZZBUZZ_PART": name,
        "FIZZBUZZ_RUN_DIR": str(configuration.home.run),
        "FIZZBUZZ_SQLITE_PATH": str(sqlite_path(configuration)),
        "REDIS_URL": redis_url(configuration),
    }
    if influx_server.is_own(configuration):
        action = "write" if kind == "worker" else "read"
        known["INFLUXDB_URL"] = influx_server.url(configuration)
        known["INFLUXDB_TOKEN_FILE"] = str(influx_server.token_file(configuration, action))
    known.pop("FIZZBUZZ_METRICS_PORT", None)  # on one machine each service takes a free one
    return dict(sorted(received_by(kind, known).items()))


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
