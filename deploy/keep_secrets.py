"""Keeps secrets in volumes: ``python -m deploy.keep_secrets [--given]``. Each is mounted where it is needed.

With ``--given`` it takes them from standard input, as one JSON object; else it makes those that are missing.
"""

import json
import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path

FILES = {"api_token": Path("api/api_token"), "influxdb_password": Path("influxdb/influxdb_password")}
_ROOT = Path("/secrets")


def main(argv: list[str], root: Path = _ROOT) -> None:
    """Write what is given, or what is missing. Raises OSError, and KeyError for an unknown name."""
    given: Mapping[str, str] = json.load(sys.stdin) if "--given" in argv else _missing(root)
    for name, value in given.items():
        _write(root / FILES[name], value)


def _missing(root: Path) -> dict[str, str]:
    """A password for InfluxDB at random; no token, which means that the API asks for none."""
    made = {"api_token": "", "influxdb_password": secrets.token_urlsafe(24)}
    return {name: value for name, value in made.items() if not (root / FILES[name]).exists()}


def _write(path: Path, value: str) -> None:
    """Readable by its owner alone from the first moment, and never half written."""
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
    with os.fdopen(descriptor, "w") as file:
        file.write(value)
    draft.replace(path)


if __name__ == "__main__":
    main(sys.argv)
