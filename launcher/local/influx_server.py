"""The InfluxDB of one system: an ``influxd`` 2 on PATH, set up at its first start."""

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

from launcher import bootstrap, log_files, readiness, run_command
from launcher.configuration import Configuration, without_settings
from launcher.errors import USAGE, UserError
from launcher.local.exec_service import die_with_parent
from pipeline.hosts import host_port, loopback_for

NAME = "influxdb"
WRITE_CACHE = "--storage-cache-snapshot-memory-size=4194304"
"""Its write cache, 4 MiB instead of 25: each query copies what is in there. After a day of default traffic
a reading takes 18 ms instead of 53 (docs/figures.md). Docker mode has the same in its compose file."""

LOOPBACK = "127.0.0.1"
ANSWERS_S = 60.0
ENDS_S = 20.0
"""How long it may take to end after its set-up."""


def is_own(configuration: Configuration) -> bool:
    """Whether this system runs an InfluxDB of its own."""
    return configuration.settings.store == "influxdb" and not configuration.given.get("INFLUXDB_URL")


def url(configuration: Configuration) -> str:
    """The address of this system's own InfluxDB."""
    settings = configuration.settings
    return f"http://{host_port(loopback_for(settings.bind), settings.influx_port)}"


def find() -> Path:
    """The influxd on PATH.

    Raises:
        UserError: there is none of version 2.
    """
    program = shutil.which("influxd")
    if program:
        found = subprocess.run([program, "version"], capture_output=True, text=True, check=False)
        if re.search(r"\bv?2\.\d", found.stdout + found.stderr):
            return Path(program)
    raise UserError(
        "FIZZBUZZ_STORE=influxdb needs an InfluxDB 2: set INFLUXDB_URL and INFLUXDB_TOKEN,"
        " or put an influxd of version 2 on PATH",
        USAGE,
    )


def argv(program: Path, data: Path, bind: str, port: int) -> tuple[str, ...]:
    """How to start it."""
    options = {
        "http-bind-address": host_port(bind, port),
        "bolt-path": data / "influxd.bolt",
        "sqlite-path": data / "influxd.sqlite",
        "engine-path": data / "engine",
        "log-level": "warn",
    }
    return (
        str(program),
        "--reporting-disabled",
        WRITE_CACHE,
        *(f"--{name}={value}" for name, value in options.items()),
    )


def token_file(configuration: Configuration, action: str) -> Path:
    """The file of the token that may ``read`` or ``write`` the bucket, and nothing else."""
    return configuration.home.data / "tokens" / action / "token"


def set_up_file(configuration: Configuration) -> Path:
    """Exists once the running server was set up: what needs its tokens waits for that."""
    return configuration.home.run / f"{NAME}.ready"


def is_set_up_on_loopback(configuration: Configuration) -> bool:
    """Whether the next start does that first; the port must be free there too."""
    outer = configuration.settings.bind != LOOPBACK
    return is_own(configuration) and outer and not token_file(configuration, "read").exists()


def set_up_on_loopback(configuration: Configuration) -> None:
    """Set up a new server before it listens on an outer address: the first to reach it would own it.

    Raises:
        UserError: it can't be done.
    """
    if not is_set_up_on_loopback(configuration):
        return
    port = configuration.settings.influx_port
    address = f"http://{host_port(LOOPBACK, port)}"
    with (configuration.home.logs / f"{NAME}.log").open("ab") as log:
        process = subprocess.Popen(
            argv(find(), configuration.home.data / NAME, LOOPBACK, port),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=die_with_parent,  # noqa: PLW1509 - there is no other thread yet
        )
    try:
        _wait_for_answer(configuration, process, address)
        set_up(configuration, address)
        _check_runs(configuration, process)
    finally:
        _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End it in good order (influxd answers SIGINT), or where that does not work, at once."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(ENDS_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _wait_for_answer(configuration: Configuration, process: "subprocess.Popen[bytes]", address: str) -> None:
    """Raises UserError where it ends instead; one that only is slow, the set-up waits for."""
    deadline = time.monotonic() + ANSWERS_S
    while not readiness.get(f"{address}/health")[0] and time.monotonic() < deadline:
        _check_runs(configuration, process)
        time.sleep(readiness.PERIOD_S)
    _check_runs(configuration, process)


def _check_runs(configuration: Configuration, process: "subprocess.Popen[bytes]") -> None:
    """Raises UserError where it ended: what answers at its address is another one."""
    if process.poll() is not None:
        why = log_files.last_message(configuration.home.logs, NAME)
        raise UserError(f"this system's own InfluxDB doesn't start: {why}")


def set_up(configuration: Configuration, address: str) -> None:
    """Make organisation, bucket, tokens and dashboard where they are missing, on the server at ``address``.

    Raises:
        UserError: it can't be done.
    """
    settings = configuration.settings
    environ = {
        **without_settings(os.environ),
        "INFLUXDB_URL": address,
        "INFLUXDB_ORG": settings.influx_org,
        "INFLUXDB_BUCKET": settings.influx_bucket,
        "INFLUXDB_USERNAME": settings.influx_username,
        "INFLUXDB_PASSWORD": settings.influx_password,
        "FIZZBUZZ_TOKENS": str(token_file(configuration, "read").parent.parent),
    }
    run_command.logged(
        [str(bootstrap.python_of(configuration.venv)), "-m", "deploy.influxdb"],
        configuration.home.logs / "influxdb-setup.log",
        "InfluxDB can't be set up",
        environ=environ,
    )
    set_up_file(configuration).touch()
