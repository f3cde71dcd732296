"""Ctrl-C and SIGTERM end a load at any moment, and never with a traceback."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.child_process import PROJECT
from tests.support.faulty_gateway import FaultyGateway
from tests.support.processes import interruptible
from tests.support.waiting import until

SOON_S = 15
"""Far less than the 30 s for which a database is read."""
SWALLOWS = """
import os, signal
try:
    os.kill(os.getpid(), signal.SIGINT)
except KeyboardInterrupt:
    tqdm = None
"""
INVALID = """
import sys
from load import command
from tests.unit.test_load_report import make

command.measure = lambda there, given: make() | {"verdict": "INVALID"}
sys.exit(command.main(sys.argv[1:]))
"""


@contextmanager
def started(*words: str, **settings: str) -> Iterator["subprocess.Popen[str]"]:
    """``load`` as a process of its own."""
    with (
        interruptible(),
        subprocess.Popen(
            [sys.executable, "-m", "load", *words],
            cwd=PROJECT,
            env={"PATH": os.environ["PATH"], **settings},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as load,
    ):
        try:
            yield load
        finally:
            load.kill()


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_while_the_database_is_read_ends_it_undecided(second: signal.Signals) -> None:
    gateway = FaultyGateway()
    gateway.start()
    with socket.create_server(("127.0.0.1", 0)) as database:  # accepts, and answers nothing
        database.settimeout(SOON_S)
        influx = {
            "FIZZBUZZ_STORE": "influxdb",
            "INFLUXDB_URL": f"http://127.0.0.1:{database.getsockname()[1]}",
        }
        words = ("--rate", "50", "--for", "600")
        with started(*words, FIZZBUZZ_GATEWAY_URL=gateway.url, FIZZBUZZ_WEB_PORT="1", **influx) as load:
            until(lambda: len(gateway.received) > 5)
            load.send_signal(signal.SIGINT)
            connection, _ = database.accept()
            with connection:
                load.send_signal(second)
                output, _ = load.communicate(timeout=SOON_S)
    gateway.stop()
    assert load.returncode == 3, output
    assert "interrupted before the database agreed" in output
    assert "Traceback" not in output


@pytest.mark.parametrize("unbuffered", ["1", ""])
def test_where_nobody_reads_the_report_the_status_is_that_of_the_verdict(
    unbuffered: str, tmp_path: Path
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    words = ("--rate", "1", "--for", "1", "--json", str(tmp_path / "a.json"))
    done = subprocess.run(
        [sys.executable, "-c", INVALID, *words],
        cwd=PROJECT,
        env={"PATH": os.environ["PATH"], "PYTHONUNBUFFERED": unbuffered},
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")
    assert json.loads((tmp_path / "a.json").read_text())["verdict"] == "INVALID"


def test_ctrl_c_while_modules_are_read_is_no_traceback_and_not_lost(tmp_path: Path) -> None:
    """Raised in a callback of the import, a KeyboardInterrupt would go no further."""
    (tmp_path / "tqdm.py").write_text(SWALLOWS)
    with started("--rate", "1", "--for", "1", PYTHONPATH=str(tmp_path)) as load:
        output, _ = load.communicate(timeout=SOON_S)
    assert (load.returncode, output) == (130, "")
