"""Which settings each service is passed: those that it needs, and no other."""

from pathlib import Path

from launcher.configuration import Configuration
from launcher.local import influx_server, redis_users
from pipeline.settings import received_by


def environ(configuration: Configuration, name: str) -> dict[str, str]:
    """The settings that the service ``name`` is passed."""
    kind = name.partition("-")[0]
    known = {
        **configuration.given,
        "FIZZBUZZ_PART": name,
        "FIZZBUZZ_RUN_DIR": str(configuration.home.run),
        "FIZZBUZZ_SQLITE_PATH": str(sqlite_path(configuration)),
    }
    if not configuration.given.get("REDIS_URL"):
        known["REDIS_URL_FILE"] = str(redis_users.url_file(configuration.home, kind))
    if influx_server.is_own(configuration):
        action = "write" if kind == "worker" else "read"
        known["INFLUXDB_URL"] = influx_server.url(configuration)
        known["INFLUXDB_TOKEN_FILE"] = str(influx_server.token_file(configuration, action))
    known.pop("FIZZBUZZ_METRICS_PORT", None)  # on one machine each service takes a free one
    return dict(sorted(received_by(kind, known).items()))


def sqlite_path(configuration: Configuration) -> Path:
    """The database file."""
    given = configuration.given.get("FIZZBUZZ_SQLITE_PATH")
    return configuration.checkout / given if given else configuration.home.data / "messages.db"
