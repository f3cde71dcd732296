"""Keeps secrets in volumes: ``python -m deploy.keep_secrets [--given]``. Each is mounted where it is needed.

With ``--given`` it takes them from standard input, as one JSON object; else it makes those that are missing.
"""

import json
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path

from pipeline.private_file import write_private

FILES = {"api_token": Path("api/api_token"), "influxdb_password": Path("influxdb/influxdb_password")}
_ROOT = Path("/secrets")


def main(argv: list[str], root: Path = _ROOT) -> None:
    """Write what is given, or what is missing. Raises OSError, and KeyError for an unknown name."""
    given: Mapping[str, str] = json.load(sys.stdin) if "--given" in argv else _missing(root)
    for name, value in given.items():
        write_private(root / FILES[name], value, mode=0o400)


def _missing(root: Path) -> dict[str, str]:
    """A password for InfluxDB at random; no token, which means that the API asks for none."""
    made = {"api_token": "", "influxdb_password": secrets.token_urlsafe(24)}
    return {name: value for name, value in made.items() if not (root / FILES[name]).exists()}


if __name__ == "__main__":
    main(sys.argv)
