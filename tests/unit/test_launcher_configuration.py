import re
from pathlib import Path

import pytest

from launcher import configuration, env_file
from launcher.configuration import CHECKOUT
from launcher.errors import USAGE, UserError
from pipeline import env_example
from pipeline.settings import DECLARED, read


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("FIZZBUZZ_WEB_PORT=5001\nFIZZBUZZ_GATEWAY_PORT=8001\n")
    settings = configuration.load({"FIZZBUZZ_WEB_PORT": "5002"}, tmp_path).settings
    assert (settings.web_port, settings.gateway_port) == (5002, 8001)


def test_an_empty_variable_leaves_the_file_its_say(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("FIZZBUZZ_WEB_PORT=5001\n")
    assert configuration.load({"FIZZBUZZ_WEB_PORT": ""}, tmp_path).settings.web_port == 5001


def test_a_home_of_its_own_has_a_file_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / ".env").write_text("FIZZBUZZ_WEB_PORT=5001\n")
    (tmp_path / "home" / ".env").write_text("FIZZBUZZ_WEB_PORT=5002\n")
    for home in ("home", str(tmp_path / "home")):
        found = configuration.load({"FIZZBUZZ_HOME": home}, tmp_path)
        assert found.settings.web_port == 5002
        assert found.home.path == tmp_path / "home"
    assert configuration.load({}, tmp_path).home.path == tmp_path / ".fizzbuzz"


def test_a_damaged_file_names_the_home_all_the_same(tmp_path: Path) -> None:
    """Else `down --wipe` would delete another system."""
    (tmp_path / ".env").write_text("nonsense\nFIZZBUZZ_HOME=/somewhere\nmore\n")
    assert configuration.home_of({}, tmp_path).path == Path("/somewhere")
    with pytest.raises(UserError, match="line 1: must be NAME=value"):
        configuration.load({}, tmp_path)
    (tmp_path / ".env").write_text("set FIZZBUZZ_HOME=/somewhere\n")
    with pytest.raises(UserError, match="line 1: must be NAME=value"):
        configuration.home_of({}, tmp_path)
    (tmp_path / ".env").write_bytes(b"\xff")
    with pytest.raises(UserError, match="it is not UTF-8"):
        configuration.home_of({}, tmp_path)


@pytest.mark.parametrize("name", ["FIZZBUZZ_WEB_PORT", "FIZZBUZZ_WORKERS", "FIZZBUZZ_INFLUX_PORT"])
def test_a_value_without_sense_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match=f"^{name}=abc") as raised:
        configuration.load({name: "abc"}, tmp_path)
    assert raised.value.status == USAGE
    assert "\n" not in str(raised.value)


def test_an_outside_influxdb_needs_a_token(tmp_path: Path) -> None:
    given = {"INFLUXDB_URL": "http://influx:8086", "FIZZBUZZ_STORE": "influxdb"}
    with pytest.raises(UserError, match="INFLUXDB_TOKEN"):
        configuration.load(given, tmp_path)
    assert configuration.load({**given, "INFLUXDB_TOKEN": "t"}, tmp_path).settings.influx.token == "t"


def test_services_inherit_no_settings(tmp_path: Path) -> None:
    environ = {"PATH": "/bin", "FIZZBUZZ_RATE": "1", "INFLUXDB_TOKEN": "t", "REDIS_URL": "unix:///r"}
    assert configuration.without_settings(environ) == {"PATH": "/bin"}
    assert configuration.only_settings(environ).keys() == environ.keys() - {"PATH"}


def test_relative_paths_are_the_checkouts_wherever_a_program_runs(tmp_path: Path) -> None:
    files = (
        *("FIZZBUZZ_TLS_CERT", "FIZZBUZZ_TLS_CA", "INFLUXDB_CA", "FIZZBUZZ_SQLITE_PATH", "FIZZBUZZ_HOME"),
        *("FIZZBUZZ_API_TOKEN_FILE", "INFLUXDB_TOKEN_FILE", "REDIS_URL_FILE"),
    )
    given = dict.fromkeys(files, "folder/file") | {"INFLUXDB_TOKEN": "a/b", "FIZZBUZZ_GRPC_TLS_CA": ""}
    found = configuration.with_absolute_paths(given, tmp_path)
    assert found == {**given, **dict.fromkeys(files, str(tmp_path / "folder" / "file"))}
    assert configuration.with_absolute_paths({"INFLUXDB_CA": "/ca"}, tmp_path) == {"INFLUXDB_CA": "/ca"}


def test_an_invalid_value_says_where_it_was_set(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("FIZZBUZZ_RATE=often\n")
    with pytest.raises(
        UserError, match=re.escape(f"FIZZBUZZ_RATE=often (set in {tmp_path}/.env): must be a number")
    ):
        configuration.load({}, tmp_path)
    with pytest.raises(
        UserError, match=re.escape("FIZZBUZZ_RATE=never (set in the environment): must be a number")
    ):
        configuration.load({"FIZZBUZZ_RATE": "never"}, tmp_path)


def test_the_example_is_written_from_the_declarations() -> None:
    assert (CHECKOUT / ".env.example").read_text() == env_example.render()


def test_nothing_reads_a_setting_that_is_not_declared() -> None:
    sources = [*(CHECKOUT / "launcher").rglob("*.py"), CHECKOUT / "deploy" / "docker-compose.yml"]
    names = r"\b((?:FIZZBUZZ|INFLUXDB)_[A-Z_]*[A-Z]|REDIS_URL)\b"
    read_by_code = {name for file in sources for name in re.findall(names, file.read_text())}
    declared = {name for one in DECLARED.values() for name in one.names}
    assert read_by_code - declared == {
        "FIZZBUZZ_TOKENS",
    }  # between the launcher and compose alone


def test_the_example_names_the_defaults_that_are_true() -> None:
    given = {name: value for name, value in _examples().items() if value}
    assert read(given, "x") == read({}, "x")


def _examples() -> dict[str, str]:
    text = (CHECKOUT / ".env.example").read_text()
    return dict(re.findall(r"^#([A-Z_]+)=(.*)$", text, re.MULTILINE))


def test_the_example_can_be_used_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(
        re.sub(r"^#([A-Z_]+=)", r"\1", (CHECKOUT / ".env.example").read_text(), flags=re.MULTILINE)
    )
    assert env_file.read(file).keys() == _examples().keys()


@pytest.mark.parametrize("where", ["file", "environment"])
def test_an_empty_home_is_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    monkeypatch.delenv("START_SH_WARNED", raising=False)
    (tmp_path / ".env").write_text("FIZZBUZZ_HOME=\n" if where == "file" else "")
    found = configuration.load({"FIZZBUZZ_HOME": " "} if where == "environment" else {}, tmp_path)
    assert found.home.path == tmp_path / ".fizzbuzz"
    assert "FIZZBUZZ_HOME" in (said := capsys.readouterr().err)
    assert "is empty: the default .fizzbuzz is used" in said
    assert ("the environment" in said) == (where == "environment")
