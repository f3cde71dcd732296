"""Which way a start runs is never changed without being asked."""

import errno
import os
from pathlib import Path

import pytest

from launcher import bootstrap, cli, commands, mode, saved_state, system
from launcher.compose import engine
from launcher.configuration import CHECKOUT, Configuration
from launcher.errors import UserError
from launcher.layout import Layout
from launcher.mode import DOCKER, KUBERNETES, LOCAL
from launcher.saved_state import SavedState


def unavailable(*words: str, **more: object) -> None:
    """An engine that can't be asked for anything."""
    raise UserError("the Docker engine is not running: start it")


@pytest.mark.parametrize(
    ("docker", "last", "asked", "chosen"),
    [
        (True, None, None, DOCKER),
        (False, None, None, LOCAL),
        (True, LOCAL, None, LOCAL),
        (True, DOCKER, None, DOCKER),
        (True, LOCAL, DOCKER, DOCKER),
        (False, DOCKER, LOCAL, LOCAL),
        (True, KUBERNETES, None, KUBERNETES),
        (True, None, KUBERNETES, KUBERNETES),
    ],
)
def test_it_is_the_one_asked_for_else_the_last_one_else_what_there_is(
    monkeypatch: pytest.MonkeyPatch, docker: bool, last: str | None, asked: str | None, chosen: str
) -> None:
    monkeypatch.setattr(mode, "docker_is_missing", lambda checkout: "" if docker else "no engine")
    assert mode.choose(CHECKOUT, last, asked).mode == chosen


def test_the_last_one_is_not_left_where_it_can_not_be_had_and_the_remedy_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mode, "docker_is_missing", lambda checkout: "the Docker engine is not running")
    with pytest.raises(UserError, match=r"the Docker engine is not running: start Docker, or .*--mode local"):
        mode.choose(CHECKOUT, DOCKER, None)


def test_the_mode_is_kept_after_down_and_a_damaged_file_counts_as_none(tmp_path: Path) -> None:
    home = Layout(tmp_path)
    saved_state.save(home, SavedState(DOCKER, True, {"FIZZBUZZ_RATE": "2"}, "code", "packages"))
    assert home.state.stat().st_mode & 0o777 == 0o600
    saved_state.mark_stopped(home)
    kept = saved_state.load(home)
    assert kept is not None
    assert (kept.mode, kept.running) == (DOCKER, False)
    home.state.write_bytes(home.state.read_bytes()[:20])
    assert saved_state.load(home) is None
    saved_state.mark_stopped(home)


@pytest.mark.parametrize(
    "secret",
    [
        {"FIZZBUZZ_API_TOKEN_FILE": "/missing"},
        {"REDIS_URL_FILE": "/missing"},
        {"INFLUXDB_URL": "http://192.0.2.1", "INFLUXDB_TOKEN_FILE": "/missing", "FIZZBUZZ_STORE": "influxdb"},
    ],
)
def test_a_secret_whose_file_is_gone_hides_no_other_setting_of_the_last_start(
    tmp_path: Path, secret: dict[str, str]
) -> None:
    """Else `status` would ask another system, at the default ports."""
    home = Layout(tmp_path)
    given = {"FIZZBUZZ_WEB_PORT": "5123", "FIZZBUZZ_VENV": "/venv", **secret}
    saved_state.save(home, SavedState(LOCAL, True, given, "code", "packages"))
    last = system.last_configuration(home)
    assert (last.settings.web_port, last.venv) == (5123, Path("/venv"))
    assert last.given.get("INFLUXDB_URL") == secret.get("INFLUXDB_URL")


def test_settings_of_the_last_start_that_this_version_refuses_are_the_defaults(tmp_path: Path) -> None:
    home = Layout(tmp_path)
    saved_state.save(home, SavedState(LOCAL, True, {"FIZZBUZZ_WEB_PORT": "abc"}, "code", "packages"))
    assert system.last_configuration(home).settings.web_port == 5000


def test_a_system_in_an_engine_that_is_unavailable_does_not_prevent_the_other_mode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "check", unavailable)
    monkeypatch.setattr(engine, "run", unavailable)
    home = Layout(tmp_path)
    saved_state.save(home, SavedState(DOCKER, True, {}, "code", "packages"))
    assert system.find_running(home, LOCAL) is None
    with pytest.raises(UserError, match="not running"):
        system.find_running(home)


class FakeSystem:
    """Counts what is asked of it."""

    runs_notebook = True

    def __init__(self, name: str = LOCAL, *, running: bool = False, away: bool = False) -> None:
        self.mode = name
        self.asked: list[str] = []
        self.running = running
        self.away = away

    def is_running(self) -> bool:
        if self.away:
            raise UserError("the engine is away")
        return self.running

    def wipe(self) -> list[str]:
        self.asked.append("wipe")
        if self.away:
            raise UserError("the engine is away")
        return ["deleted"]

    def prepare(self, saved: SavedState | None) -> None:
        self.asked.append("prepare")

    def stop(self) -> int:
        self.asked.append("stop")
        return 2

    def start(self) -> None:
        self.asked.append("start")

    def addresses(self) -> dict[str, str]:
        return {}


def downed(monkeypatch: pytest.MonkeyPatch, path: Path, systems: dict[str, FakeSystem], *, wipe: bool) -> int:
    """``down`` of a home that was last started in local mode, with what other modes have left."""
    monkeypatch.setenv("FIZZBUZZ_HOME", str(path))
    monkeypatch.setattr(commands, "find_running", lambda home: None)
    monkeypatch.setattr(commands, "open_system", lambda name, wanted: systems[name])
    home = Layout(path)
    saved_state.save(home, SavedState(LOCAL, False, {}, "code", "packages"))
    home.docker_env.write_text("")
    home.kubernetes.mkdir(exist_ok=True)
    return commands.down(wipe=wipe)


def test_down_stops_what_runs_in_a_mode_that_was_left_because_its_engine_was_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    systems = {
        LOCAL: FakeSystem(),
        DOCKER: FakeSystem(DOCKER, running=True),
        KUBERNETES: FakeSystem(KUBERNETES, running=True),
    }
    assert downed(monkeypatch, tmp_path, systems, wipe=False) == 0
    assert (systems[DOCKER].asked, systems[KUBERNETES].asked) == (["stop"], [])
    assert "stopping what still ran in docker mode" in capsys.readouterr().out


def test_wipe_deletes_what_every_mode_has_left_and_says_where_it_could_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    systems = {LOCAL: FakeSystem(), DOCKER: FakeSystem(DOCKER, away=True), KUBERNETES: FakeSystem(KUBERNETES)}
    with pytest.raises(UserError, match="the engine is away"):
        downed(monkeypatch, tmp_path, systems, wipe=True)
    assert [systems[name].asked[-1] for name in (LOCAL, DOCKER, KUBERNETES)] == ["wipe"] * 3


@pytest.mark.parametrize("wipe", [False, True])
def test_a_full_disk_keeps_down_neither_from_stopping_nor_from_wiping(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, wipe: bool
) -> None:
    def full(home: Layout) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(home.state))

    monkeypatch.setattr(saved_state, "mark_stopped", full)
    systems = {name: FakeSystem(name) for name in (LOCAL, DOCKER, KUBERNETES)}
    assert downed(monkeypatch, tmp_path, systems, wipe=wipe) == 0
    assert systems[LOCAL].asked == ["stop", *(["wipe"] if wipe else [])]
    assert "no space is left on its disk" in capsys.readouterr().err


def test_wiping_local_data_leaves_what_says_that_an_engine_or_a_cluster_holds_more(tmp_path: Path) -> None:
    home = Layout(tmp_path)
    home.docker_env.write_text("")
    home.kubernetes.mkdir()
    home.wipe()
    assert system.elsewhere(home) == [DOCKER, KUBERNETES]


def test_restart_prepares_a_container_mode_once_and_before_anything_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake = FakeSystem()
    monkeypatch.setenv("FIZZBUZZ_HOME", str(tmp_path))
    monkeypatch.setattr(mode, "docker_is_missing", lambda checkout: "")
    monkeypatch.setattr(commands, "find_running", lambda home: fake)
    monkeypatch.setattr(commands, "open_system", lambda name, wanted: fake)
    saved_state.save(Layout(tmp_path), SavedState(DOCKER, True, {}, "code", "packages"))
    assert commands.restart() == 0
    assert fake.asked == ["prepare", "stop", "start"]
    assert "2 jobs still wait in the queue" in capsys.readouterr().out
    saved = saved_state.load(Layout(tmp_path))
    assert saved is not None
    assert saved.running


@pytest.mark.parametrize("name", [LOCAL, DOCKER])
def test_restart_stops_nothing_where_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    fake = FakeSystem(name, running=True)

    def full(home: Layout, needed_mb: int = 0) -> None:
        raise UserError("0 MB are free")

    monkeypatch.setenv("FIZZBUZZ_HOME", str(tmp_path))
    monkeypatch.setattr(Layout, "check_space", full)
    monkeypatch.setattr(mode, "docker_is_missing", lambda checkout: "")
    monkeypatch.setattr(commands, "find_running", lambda home: fake)
    monkeypatch.setattr(commands, "open_system", lambda name, wanted: fake)
    monkeypatch.setattr(bootstrap, "works", lambda python, code: False)
    monkeypatch.setattr(bootstrap, "start_again", lambda checkout, words: None)
    saved_state.save(Layout(tmp_path), SavedState(name, True, {}, "code", "packages"))
    with pytest.raises(UserError, match="0 MB are free"):
        commands.restart()
    assert "stop" not in fake.asked


def test_another_mode_that_was_asked_for_is_still_the_one_in_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the engine of the last start is gone, and a second process continues the command."""
    fake, continued = FakeSystem(), []
    monkeypatch.setenv("FIZZBUZZ_HOME", str(tmp_path))
    monkeypatch.delenv("FIZZBUZZ_VENV", raising=False)
    monkeypatch.setattr(engine, "check", unavailable)
    monkeypatch.setattr(engine, "run", unavailable)
    monkeypatch.setattr(commands, "open_system", lambda name, wanted: fake)
    monkeypatch.setattr(bootstrap, "ensure", lambda *given, **more: None)
    monkeypatch.setattr(
        bootstrap, "enter", lambda wanted, words, **environ: continued.append((words, environ))
    )
    saved_state.save(Layout(tmp_path), SavedState(DOCKER, True, {}, "code", "packages"))
    commands.up(LOCAL)
    [(words, environ)] = continued
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(bootstrap, "is_inside", lambda venv: True)
    assert commands.up(cli.parser().parse_args(words).mode) == 0
    assert fake.asked == ["prepare", "prepare", "start"]


@pytest.mark.parametrize(
    ("name", "store", "there", "is_added"),
    [
        (DOCKER, "", "", True),
        (KUBERNETES, "", "", True),
        (LOCAL, "influxdb", "", True),
        (LOCAL, "sqlite", "", False),
        (DOCKER, "", "docker.env", False),
        (LOCAL, "influxdb", "data/influxdb", False),
    ],
)
def test_the_first_influxdb_has_a_password_also_where_the_user_wrote_the_env_file(  # noqa: PLR0917
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, store: str, there: str, is_added: bool
) -> None:
    """A later one has been set up with another password than a new one would be."""
    opened: list[Configuration] = []

    def open_fake(name: str, wanted: Configuration) -> FakeSystem:
        opened.append(wanted)
        return FakeSystem(name)

    monkeypatch.setenv("FIZZBUZZ_HOME", str(tmp_path))
    monkeypatch.setenv(mode.CHOSEN, f"{name}:as asked")
    monkeypatch.setattr(commands, "find_running", lambda home, asked: None)
    monkeypatch.setattr(commands, "open_system", open_fake)
    monkeypatch.setattr(bootstrap, "is_inside", lambda venv: True)
    file = tmp_path / ".env"
    file.write_text(f"FIZZBUZZ_STORE={store}\n")
    if there:
        (tmp_path / there).mkdir(parents=True)
    assert commands.up(None) == 0
    assert (len(opened[0].settings.influx_password) >= 24) == is_added
    assert ("INFLUXDB_PASSWORD" in file.read_text()) == is_added
