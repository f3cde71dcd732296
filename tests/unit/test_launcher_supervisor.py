import os
from configparser import ConfigParser
from pathlib import Path

import pytest

from launcher.layout import Layout
from launcher.local import supervisor
from launcher.local.plan import Plan, ProcessPlan

NAMES = ("redis", "web", "worker-1", "worker-2", "consumer", "gateway", "producer")


@pytest.fixture
def parser(tmp_path: Path) -> ConfigParser:
    home = Layout(tmp_path / "50% of ;a #home")
    processes = tuple(ProcessPlan(name, ("program",), {"SECRET": "a secret"}) for name in NAMES)
    plan = Plan("/venv/bin/python", processes, ())
    found = ConfigParser(interpolation=None)
    found.read_string(supervisor.render(home, plan))
    return found


def test_root_stays_root_whatever_its_terminal_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 0)
    monkeypatch.setenv("LOGNAME", "nobody")
    monkeypatch.setenv("USER", "nobody")
    assert "user = root\n" in supervisor.render(Layout(tmp_path), Plan("python", (), ()))


def test_every_service_comes_back_for_ever_and_without_a_growing_pause(parser: ConfigParser) -> None:
    for name in (*NAMES, "watchdog"):
        section = parser[f"program:{name}"]
        assert (section["autorestart"], section["startsecs"]) == ("true", "0")
        assert int(section["startretries"]) > 10**8
        assert section["stopwaitsecs"] == "10"
        assert section["killasgroup"] == "true"


def test_no_secret_and_no_setting_is_in_the_file(parser: ConfigParser) -> None:
    assert not any("a secret" in value for name in parser.sections() for value in parser[name].values())
    assert not any("environment" in parser[name] for name in parser.sections())


def test_it_is_reached_by_a_private_socket_alone(parser: ConfigParser) -> None:
    assert parser["unix_http_server"]["file"].startswith("/tmp/fizzbuzz-")
    assert "inet_http_server" not in parser


def test_the_stream_is_stopped_from_its_source_on(parser: ConfigParser) -> None:
    stops = sorted((*NAMES, "watchdog"), key=lambda name: -int(parser.get(f"program:{name}", "priority")))
    assert stops == ["watchdog", "producer", "gateway", "consumer", "worker-1", "worker-2", "web", "redis"]


def test_logs_are_bounded(parser: ConfigParser) -> None:
    section = parser["program:web"]
    assert section["stdout_logfile"] == "logs/web.log"
    assert section["stdout_logfile_maxbytes"] == "10MB"
    assert section["stdout_logfile_backups"] == "3"


def test_no_path_of_the_system_is_in_the_file_since_its_format_can_not_hold_every_one(
    parser: ConfigParser, tmp_path: Path
) -> None:
    values = [value for name in parser.sections() for value in parser[name].values()]
    assert not any(str(tmp_path) in value or "50%" in value for value in values)


def test_influxdb_is_asked_to_stop_by_the_signal_that_it_heeds(tmp_path: Path) -> None:
    plan = Plan("python", (ProcessPlan("influxdb", ("influxd",), {}, stop_signal="INT"),), ())
    found = ConfigParser(interpolation=None)
    found.read_string(supervisor.render(Layout(tmp_path), plan))
    assert found["program:influxdb"]["stopsignal"] == "INT"
