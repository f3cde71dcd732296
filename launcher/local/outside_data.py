"""Data of a system that lies outside of its ``FIZZBUZZ_HOME``, which ``--wipe`` does not delete."""

from pathlib import Path

from launcher.configuration import Configuration
from launcher.local import telling
from launcher.local.plan import Plan


def left(configuration: Configuration, plan: Plan | None) -> list[str]:
    """What is still there after the home was wiped, a line each.

    Args:
        configuration: the settings of the moment.
        plan: the system that ran, whose settings count; None where none did.
    """
    worker = plan.find("worker-1") if plan else None
    told = worker.env if worker else telling.environ(configuration, "worker-1")
    servers = [
        f"the data in {without_password(url)} ({name})"
        for name in ("REDIS_URL", "INFLUXDB_URL")
        if (url := told.get(name, "")) and _is_outside(configuration, plan, name)
    ]
    database = Path(told["FIZZBUZZ_SQLITE_PATH"])
    return [f"{database} (FIZZBUZZ_SQLITE_PATH)", *servers] if database.exists() else servers


def without_password(url: str) -> str:
    """The URL as it may be shown."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


def _is_outside(configuration: Configuration, plan: Plan | None, name: str) -> bool:
    """Whether the system runs no such server itself."""
    own = {"REDIS_URL": "redis", "INFLUXDB_URL": "influxdb"}[name]
    return plan.find(own) is None if plan else bool(configuration.given.get(name))
