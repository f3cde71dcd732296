"""Keeps secrets in volumes: ``python -m deploy.keep_secrets [--given]``. Each is mounted where it is needed.

With ``--given`` it reads them from standard input, as one JSON object; else it makes those that are missing,
and the users of Redis, whose passwords nobody gives.
"""

import json
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path

from pipeline import private_file, settings
from pipeline.queue import sentinel_users, users
from pipeline.queue.sentinel_url import DEFAULT_PORT
from pipeline.queue.sentinel_users import Group

FILES = {"api_token": Path("api/api_token"), "influxdb_password": Path("influxdb/influxdb_password")}
_ROOT = Path("/secrets")
_REDIS = Path("/redis")
_REDIS_ADDRESS = "redis://redis:6379/0"
_GROUP = Group("fizzbuzz", ("redis", 6379), [(f"sentinel-{number}", DEFAULT_PORT) for number in (1, 2, 3)])
"""The servers of the profile ``redis-replicas``."""
_SCRIPTS = Path(__file__).parent / "redis"
_OWNER, _ANYONE = 0o400, 0o444
"""Redis's image has another user than ours, so what Redis reads may be read by anyone in its container."""


def main(argv: list[str], root: Path = _ROOT, redis: Path = _REDIS, *, replicas: int = 0) -> None:
    """Write what is given, or what is missing. Raises OSError, and KeyError for an unknown name.

    Args:
        replicas: ``FIZZBUZZ_REDIS_REPLICAS``; where there are any, services ask Sentinels for the primary.
    """
    given: Mapping[str, str] = json.load(sys.stdin) if "--given" in argv else _missing(root)
    for name, value in given.items():
        private_file.write(root / FILES[name], value, _OWNER)
    if "--given" not in argv:
        _keep_users(redis, replicas)


def _keep_users(redis: Path, replicas: int) -> None:
    """The users of Redis, and the scripts by which it and Sentinel start."""
    if not (replicas and sentinel_users.has_group(redis)):  # one server alone has accepted, or shall now
        sentinel_users.remove_group(redis, shared=_ANYONE)
    if replicas:
        sentinel_users.keep(redis, _GROUP, shared=_ANYONE, own=_OWNER)
    else:
        users.keep(redis, _REDIS_ADDRESS, shared=_ANYONE, own=_OWNER)
    for name, folder in (
        ("start-server.sh", users.SERVER.parent),
        ("start-sentinel.sh", sentinel_users.SENTINEL_FOLDER),
    ):
        (redis / folder).mkdir(mode=0o700, exist_ok=True)
        script = (_SCRIPTS / name).read_text(encoding="utf-8")
        private_file.write(redis / folder / name, script, _ANYONE)


def _missing(root: Path) -> dict[str, str]:
    """A random password for InfluxDB; no token, which means that the API asks for none."""
    made = {"api_token": "", "influxdb_password": secrets.token_urlsafe(24)}
    return {name: value for name, value in made.items() if not (root / FILES[name]).exists()}


if __name__ == "__main__":
    main(sys.argv, replicas=settings.load_or_exit("secrets").redis_replicas)
