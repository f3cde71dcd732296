from configparser import ConfigParser
from pathlib import Path

import pytest

from launcher.home import Home
from launcher.local import supervisor
from launcher.local.plan import Part, Plan
from launcher.problem import Problem

NAMES = ("redis", "web", "worker-1", "worker-2", "consumer", "gateway", "producer")


@pytest.fixture
def parser(tmp_path: Path) -> ConfigParser:
    home = Home(tmp_path / "a home")
    parts = tuple(Part(name, ("program",), {"SECRET": "a secret"}) for name in NAMES)
    plan = Plan(supervisor.part(home, Path("/venv/bin/python")), parts, ())
    found = ConfigParser(interpolation=None)
    found.read_string(supervisor.render(home, Path("/a checkout"), plan, password="pass"))
    return found


def test_every_part_comes_back_for_ever_and_without_a_growing_pause(parser: ConfigParser) -> None:
    for name in (*NAMES, "guard"):
        section = parser[f"program:{name}"]
        assert (section["autorestart"], section["startsecs"]) == ("true", "0")
        assert int(section["startretries"]) > 10**8
        assert section["stopwaitsecs"] == "10"
        assert section["killasgroup"] == "true"


def test_no_secret_and_no_setting_is_in_the_file(parser: ConfigParser) -> None:
    assert not any("a secret" in value for name in parser.sections() for value in parser[name].values())
    assert not any("environment" in parser[name] for name in parser.sections())


def test_it_is_reached_by_a_private_socket_alone(parser: ConfigParser) -> None:
    assert parser["unix_http_server"]["password"] == "pass"
    assert "inet_http_server" not in parser


def test_the_stream_is_stopped_from_its_source_on(parser: ConfigParser) -> None:
    stops = sorted((*NAMES, "guard"), key=lambda name: -int(parser.get(f"program:{name}", "priority")))
    assert stops == ["guard", "producer", "gateway", "consumer", "worker-1", "worker-2", "web", "redis"]


def test_logs_are_bounded(parser: ConfigParser) -> None:
    section = parser["program:web"]
    assert section["stdout_logfile"].endswith("a home/logs/web.log")
    assert section["stdout_logfile_maxbytes"] == "10MB"
    assert section["stdout_logfile_backups"] == "3"


def test_a_path_with_a_space_stays_one_word(parser: ConfigParser, tmp_path: Path) -> None:
    assert parser["program:web"]["command"] == (
        f"/venv/bin/python -m launcher.local.part '{tmp_path}/a home/run' web"
    )


@pytest.mark.parametrize("name", ["50%", "a ;b", "a #b", "a\nb"])
def test_a_path_that_can_not_be_written_down_is_refused(name: str) -> None:
    with pytest.raises(Problem, match="move it"):
        supervisor.check_paths(Path("/") / name)
    supervisor.check_paths(Path("/a b;c'd"))
