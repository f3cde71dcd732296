"""Runs the set-up: ``python -m deploy.influxdb``; exit status 1 and one line if it can't be done.

``INFLUXDB_URL``, ``INFLUXDB_ORG``, ``INFLUXDB_BUCKET``, ``INFLUXDB_USERNAME`` and ``INFLUXDB_PASSWORD``
(or ``INFLUXDB_PASSWORD_FILE``) give the desired state, ``FIZZBUZZ_TOKENS`` the folder of the tokens.
"""

import json
import os
import sys
from pathlib import Path

from deploy.influxdb.api import Api, ApiError, Unreachable
from deploy.influxdb.provision import DesiredState, SetupError, provision
from pipeline.declaration import SettingsError
from pipeline.settings import read

READY_TIMEOUT_S = 60.0


def main() -> int:
    """Set the server up; 2 if a setting is invalid."""
    try:
        settings = read(os.environ)
        if len(settings.influx_password) < 8:
            raise SettingsError("INFLUXDB_PASSWORD must have at least 8 characters")
    except SettingsError as error:
        _log("error", str(error))
        return 2
    desired = DesiredState(
        username=settings.influx_username,
        password=settings.influx_password,
        org=settings.influx_org,
        bucket=settings.influx_bucket,
        tokens=Path(os.environ.get("FIZZBUZZ_TOKENS") or "/tokens"),
    )
    api = Api(settings.influx_url)
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


def _log(level: str, message: str) -> None:
    record = {"level": level, "part": "influxdb-setup", "message": message}
    print(json.dumps(record), file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
