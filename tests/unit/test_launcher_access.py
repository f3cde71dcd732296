"""Who may get in is decided before anything starts, in every mode."""

import subprocess
from pathlib import Path

import pytest

from launcher import access, configuration
from launcher.configuration import Configuration
from launcher.errors import USAGE, UserError
from tests.support.launched import Launched

TOKEN = "sixteen-letters!"


def load(home: Path, **given: str) -> Configuration:
    return configuration.load({"FIZZBUZZ_HOME": str(home), **given}, home)


def refusal(home: Path, **given: str) -> str:
    with pytest.raises(UserError) as raised:
        access.check(load(home, **given))
    assert raised.value.status == USAGE
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize("content", ["", " \n\n"])
@pytest.mark.parametrize("name", ["FIZZBUZZ_API_TOKEN_FILE", "INFLUXDB_TOKEN_FILE"])
def test_a_file_without_a_token_is_refused(tmp_path: Path, name: str, content: str) -> None:
    file = tmp_path / "token"
    file.write_text(content)
    assert refusal(tmp_path, **{name: str(file)}).startswith(f"{name}={file}: ")


@pytest.mark.parametrize("text", ["x", "fifteen-letters", f"one:{TOKEN}\ntwo:a-letter"])
def test_a_token_that_is_too_short_is_refused_and_not_shown(tmp_path: Path, text: str) -> None:
    file = tmp_path / "token"
    file.write_text(text)
    line = refusal(tmp_path, FIZZBUZZ_API_TOKEN_FILE=str(file))
    assert "16 characters" in line
    assert "letter" not in line
    assert "two:" not in line
    if "\n" not in text:
        assert refusal(tmp_path, FIZZBUZZ_API_TOKEN=text).startswith("FIZZBUZZ_API_TOKEN (set in")


@pytest.mark.parametrize("text", [TOKEN, f"one:{TOKEN}\n\ntwo:{TOKEN[::-1]}\n"])
def test_tokens_of_16_characters_are_accepted(tmp_path: Path, text: str) -> None:
    file = tmp_path / "token"
    file.write_text(text)
    access.check(load(tmp_path, FIZZBUZZ_API_TOKEN_FILE=str(file), FIZZBUZZ_BIND="0.0.0.0"))


@pytest.mark.parametrize("bind", ["0.0.0.0", "::", "192.0.2.1"])
def test_a_bind_beyond_the_loopback_needs_a_token_or_a_word(tmp_path: Path, bind: str) -> None:
    line = refusal(tmp_path, FIZZBUZZ_BIND=bind)
    assert line.startswith(f"FIZZBUZZ_BIND={bind} opens the API")
    assert "FIZZBUZZ_API_TOKEN" in line
    assert "FIZZBUZZ_OPEN=1" in line
    assert refusal(tmp_path, FIZZBUZZ_BIND=bind, FIZZBUZZ_OPEN="0")
    access.check(load(tmp_path, FIZZBUZZ_BIND=bind, FIZZBUZZ_OPEN="1"))
    access.check(load(tmp_path, FIZZBUZZ_BIND=bind, FIZZBUZZ_API_TOKEN=TOKEN))


@pytest.mark.parametrize("bind", ["127.0.0.1", "127.0.0.2", "::1"])
def test_the_loopback_needs_no_token(tmp_path: Path, bind: str) -> None:
    access.check(load(tmp_path, FIZZBUZZ_BIND=bind))


def refused_up(system: Launched, mode: str) -> "subprocess.CompletedProcess[str]":
    """What ``up`` says; where it started something after all, that is stopped again."""
    done = system.start_sh("up", "--mode", mode)
    if done.returncode == 0:
        system.start_sh("down", "--wipe")
    return done


@pytest.mark.parametrize("mode", ["local", "docker"])
def test_up_refuses_in_every_mode_before_anything_is_written(tmp_path: Path, mode: str) -> None:
    system = Launched(tmp_path / "home", FIZZBUZZ_BIND="0.0.0.0")
    done = refused_up(system, mode)
    assert done.returncode == USAGE
    assert done.stderr.startswith("start.sh: FIZZBUZZ_BIND=0.0.0.0 opens the API")
    assert done.stderr.count("\n") == 1
    assert not system.home.exists()


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
@pytest.mark.parametrize("folder", ["", "run", "venv"])
def test_a_home_that_others_may_write_is_refused(tmp_path: Path, folder: str, mode: int) -> None:
    found = load(tmp_path / "home")
    found.home.make()
    (found.home.path / folder).mkdir(exist_ok=True)
    access.check_home(found)
    (found.home.path / folder).chmod(mode)
    with pytest.raises(UserError, match=f"{found.home.path / folder}: others may write.*chmod go-w"):
        access.check_home(found)


def test_a_home_in_a_folder_where_others_may_replace_it_is_refused(tmp_path: Path) -> None:
    parent = tmp_path / "open"
    parent.mkdir()
    parent.chmod(0o777)
    with pytest.raises(UserError, match=f"{parent}: others may write"):
        access.check_home(load(parent / "home"))
    parent.chmod(0o1777)
    access.check_home(load(parent / "home"))


def test_up_refuses_a_home_that_others_may_write(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    home.chmod(0o777)
    done = refused_up(Launched(home), "local")
    assert done.returncode == 1
    assert done.stderr.startswith(f"start.sh: {home}: others may write")
    assert list(home.iterdir()) == []
