"""Runs the set-up: ``python -m deploy.influxdb``; exit status 1 and one line if it can't be done.

``INFLUXDB_URL``, ``INFLUXDB_ORG``, ``INFLUXDB_BUCKET``, ``INFLUXDB_USERNAME`` and ``INFLUXDB_PASSWORD``
(or ``INFLUXDB_PASSWORD_FILE``) give the desired state, ``FIZZBUZZ_TOKENS`` the folder of the tokens.
"""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from deploy.influxdb.api import Api, ApiError, Unreachable
from deploy.influxdb.provision import DesiredState, SetupError, provision
from pipeline.declaration import SettingsError
from pipeline.settings import read

READY_TIMEOUT_S = 60.0


def main() -> int:
    """Set the server up; 2 if a setting is invalid."""
    try:
        influx = read(os.environ).influx
        desired = DesiredState(
            username=os.environ.get("INFLUXDB_USERNAME") or "admin",
            password=_password(os.environ),
            org=influx.org,
            bucket=influx.bucket,
            tokens=Path(os.environ.get("FIZZBUZZ_TOKENS") or "/tokens"),
        )
    except SettingsError as error:
        _log("error", str(error))
        return 2
    api = Api(influx.url)
    try:
        api.wait_until_ready(READY_TIMEOUT_S)
        provision(api, desired, lambda line: _log("info", line))
    except (SetupError, ApiError, Unreachable) as error:
        _log("error", str(error))
        return 1
    finally:
        api.close()
    _log("info", "InfluxDB is set up")
    return 0


def _password(environ: Mapping[str, str]) -> str:
    file = environ.get("INFLUXDB_PASSWORD_FILE", "")
    try:
        password = Path(file).read_text().strip() if file else environ.get("INFLUXDB_PASSWORD", "")
    except OSError as error:
        raise SettingsError(f"INFLUXDB_PASSWORD_FILE={file}: {error.strerror}") from error
    if len(password) < 8:
        raise SettingsError("INFLUXDB_PASSWORD must have at least 8 characters")
    return password


def _log(level: str, message: str) -> None:
    record = {"level": level, "part": "influxdb-setup", "message": message}
    print(json.dumps(record), file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
