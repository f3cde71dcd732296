"""The set-up of the system's own InfluxDB, before it listens on an outer address; with a fake ``influxd``."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from launcher import configuration
from launcher.configuration import CHECKOUT, Configuration
from launcher.errors import UserError
from launcher.local import influx_server, preflight
from tests.support.ports import free_port
from tests.support.processes import interruptible
from tests.support.waiting import until

OUTER = "127.0.0.2"
"""Stands for an address of the network: what listens on 127.0.0.1 is not reached by it."""
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="127.0.0.2 is an address on Linux alone")


def configured(home: Path, port: int, bind: str = "0.0.0.0") -> Configuration:
    given = {"FIZZBUZZ_HOME": str(home), "FIZZBUZZ_STORE": "influxdb", "FIZZBUZZ_INFLUX_PORT": str(port)}
    more = {f"FIZZBUZZ_{name}_PORT": str(free_port()) for name in ("WEB", "GATEWAY", "GRPC")}
    found = configuration.load({**given, **more, "FIZZBUZZ_BIND": bind}, home)
    found.home.make()
    return found


def influxd(folder: Path, script: str) -> Path:
    program = folder / "influxd"
    program.write_text(f"#!/bin/sh\necho $@ >> {folder}/started\n{script}\n")
    program.chmod(0o755)
    return program


def answers(port: int) -> str:
    """A server of HTTP, which is all that the launcher asks for."""
    return f"exec {sys.executable} -m http.server --bind 127.0.0.1 {port}"


@pytest.mark.parametrize(("bind", "twice"), [("0.0.0.0", True), ("127.0.0.2", True), ("127.0.0.1", False)])
def test_influxdb_listens_on_the_loopback_until_it_is_set_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bind: str, twice: bool
) -> None:
    port = free_port()
    program = influxd(tmp_path, answers(port))
    monkeypatch.setattr(influx_server, "find", lambda: program)
    addresses: list[str] = []
    monkeypatch.setattr(influx_server, "set_up", lambda _, address: addresses.append(address))
    with interruptible():
        influx_server.set_up_on_loopback(configured(tmp_path, port, bind))
    assert addresses == ([f"http://127.0.0.1:{port}"] if twice else [])
    if twice:
        assert f"--http-bind-address=127.0.0.1:{port}" in (tmp_path / "started").read_text()


def test_what_does_not_end_after_the_set_up_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    program = influxd(tmp_path, f"trap '' INT; {answers(port)}")
    monkeypatch.setattr(influx_server, "find", lambda: program)
    monkeypatch.setattr(influx_server, "set_up", lambda *_: None)
    monkeypatch.setattr(influx_server, "ENDS_S", 0.2)
    influx_server.set_up_on_loopback(configured(tmp_path, port))
    assert not _listens(port)


def test_where_it_does_not_start_nothing_else_is_set_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = influxd(tmp_path, "echo no such folder; exit 1")
    monkeypatch.setattr(influx_server, "find", lambda: program)
    monkeypatch.setattr(influx_server, "set_up", lambda *_: pytest.fail("another one was set up"))
    with pytest.raises(UserError, match="InfluxDB doesn't start: no such folder"):
        influx_server.set_up_on_loopback(configured(tmp_path, free_port()))


def test_what_ended_meanwhile_was_not_what_was_set_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    program = influxd(tmp_path, f"echo $$ > {tmp_path}/pid; {answers(port)}")
    monkeypatch.setattr(influx_server, "find", lambda: program)

    def set_up(*_: object) -> None:
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
        until(lambda: not _listens(port), 5)

    monkeypatch.setattr(influx_server, "set_up", set_up)
    with pytest.raises(UserError, match="InfluxDB doesn't start"):
        influx_server.set_up_on_loopback(configured(tmp_path, port))


@on_linux
@pytest.mark.parametrize("set_up_before", [False, True])
def test_its_port_must_be_free_on_the_loopback_too_until_it_is_set_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, set_up_before: bool
) -> None:
    monkeypatch.setattr(influx_server, "find", lambda: tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        wanted = configured(tmp_path, port, OUTER)
        if set_up_before:
            token = influx_server.token_file(wanted, "read")
            token.parent.mkdir(parents=True)
            token.touch()
            preflight.check(wanted, None)
        else:
            with pytest.raises(UserError, match=f"port {port} is taken.*FIZZBUZZ_INFLUX_PORT"):
                preflight.check(wanted, None)


@on_linux
def test_it_ends_with_a_start_that_is_killed(tmp_path: Path) -> None:
    influxd(tmp_path, f"echo $$ > {tmp_path}/pid.new; mv {tmp_path}/pid.new {tmp_path}/pid; exec sleep 60")
    code = f"""
import time
from pathlib import Path
from launcher.local import influx_server
from tests.unit.test_influx_set_up import configured
influx_server.find = lambda: Path({str(tmp_path / "influxd")!r})
influx_server.set_up = lambda *_: time.sleep(60)
influx_server.set_up_on_loopback(configured(Path({str(tmp_path)!r}), {free_port()}))
"""
    with subprocess.Popen([sys.executable, "-c", code], cwd=CHECKOUT) as starting:
        until((tmp_path / "pid").exists, 30)
        pid = int((tmp_path / "pid").read_text())
        starting.kill()
    until(lambda: not _runs(pid), 5)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
