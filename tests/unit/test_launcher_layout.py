import os
import stat
import string
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from launcher import access, cli, configuration, saved_state, status_command
from launcher.errors import FAILED
from launcher.layout import MAX_SOCKET_BYTES, Layout
from launcher.lock import exclusive_lock
from launcher.saved_state import SavedState


def test_folders_are_their_owners_alone(tmp_path: Path) -> None:
    home = Layout(tmp_path / "home")
    home.make()
    folders = (home.path, home.data, home.logs, home.run)
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o700}


def locked(home: Layout) -> None:
    with exclusive_lock(home.lock):
        pass


def saved(home: Layout) -> None:
    saved_state.save(home, SavedState("local", running=True, settings={}, code="", packages=""))


def kept_traceback(home: Layout) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.delattr(status_command, "status")
        assert cli.main(["status"]) == FAILED
    assert (home.logs / "launcher.log").exists()


@pytest.mark.parametrize("umask", [0o000, 0o002, 0o077])
@pytest.mark.parametrize("made", [Layout.make, locked, saved, kept_traceback])
def test_whatever_umask_the_terminal_has_the_home_is_not_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: Callable[[Layout], None], umask: int
) -> None:
    path = tmp_path / "parent" / "home"
    monkeypatch.setenv("FIZZBUZZ_HOME", str(path))
    before = os.umask(umask)
    try:
        made(Layout(path))
    finally:
        found = os.umask(before)
    access.check_home(configuration.load({"FIZZBUZZ_HOME": str(path)}, tmp_path))
    assert found == umask


def test_sockets_move_to_a_short_private_folder_where_the_home_has_a_long_name(tmp_path: Path) -> None:
    assert Layout(Path("/short")).sockets == Path("/short/run")
    home, other = Layout(tmp_path / ("n" * 100)), Layout(tmp_path / ("m" * 100))
    home.make()
    assert len(str(home.sockets / "supervisor.sock.1234567")) <= MAX_SOCKET_BYTES
    assert home.sockets != other.sockets
    assert stat.S_IMODE(home.sockets.stat().st_mode) == 0o700
    home.wipe()
    assert not home.sockets.exists()


def test_sockets_are_found_whatever_folder_a_terminal_has_for_temporary_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Layout(tmp_path / ("n" * 100))
    found = []
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        monkeypatch.setenv("TMPDIR", str(tmp_path / folder))
        monkeypatch.setattr(tempfile, "tempdir", None)  # what it has found before
        found.append(home.sockets)
    assert found[0] == found[1]


def test_wiping_deletes_what_the_system_made_and_nothing_else(tmp_path: Path) -> None:
    home = Layout(tmp_path)
    home.make()
    ours = [
        "data/messages.db",
        "data/messages.db-wal",
        "data/redis/x",
        "data/tokens/read/token",
        "data/redis-users/web/url",
    ]
    ours += [
        "logs/web.log",
        "logs/worker-12.log.1",
        "run/worker-1.address",
        "run/plan.json",
        "run/redis.sock",
        "system.json.new77",
        "docker.env.new77",
        ".env.new77",
    ]
    others = [".env", "docker.env", "venv/x", "data/other.db", "logs/other.log", "run/other", "notes.txt"]
    for name in (*ours, *others):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    home.wipe()
    assert not any((tmp_path / name).exists() for name in ours)
    assert all((tmp_path / name).exists() for name in others)


@pytest.mark.parametrize("folder", ["data", "logs", "run"])
def test_wiping_empties_a_folder_on_another_disk_and_leaves_the_link(tmp_path: Path, folder: str) -> None:
    home, disk = Layout(tmp_path / "home"), tmp_path / "disk"
    disk.mkdir()
    home.path.mkdir()
    (home.path / folder).symlink_to(disk)
    home.make()
    made = [home.data / "messages.db", home.logs / "launcher.log", home.run / "plan.json", home.state]
    for path in made:
        path.write_text("")
    home.wipe()
    assert not any(path.exists() for path in made)
    assert (home.path / folder).is_symlink()
    assert disk.is_dir()
    home.make()


def test_wiping_does_not_follow_a_link_out_of_the_home(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("")
    home = Layout(tmp_path / "home")
    home.make()
    (home.data / "redis").symlink_to(outside)
    home.wipe()
    assert (outside / "kept").exists()


@pytest.mark.parametrize("name", ["a b", "a=b", "a#b", "50%", "a;b", "it's", "é"])
def test_sockets_never_have_a_character_in_their_path_that_a_client_stumbles_over(
    tmp_path: Path, name: str
) -> None:
    home = Layout(Path("/") / name)
    assert home.sockets != home.run
    assert set(str(home.sockets)) <= set(string.ascii_letters + string.digits + "/-._")
