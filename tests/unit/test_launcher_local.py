"""What local mode says of itself."""

import errno
import os
from pathlib import Path

import pytest

from launcher import configuration
from launcher.layout import Layout
from launcher.local import lifecycle, plan, supervisor
from launcher.local.plan import Plan, ProcessPlan
from launcher.local.system import LocalSystem


def system(home: Path, **given: str) -> LocalSystem:
    return LocalSystem(configuration.load({"FIZZBUZZ_HOME": str(home), **given}, home))


def test_wiping_says_which_data_lies_outside_and_stays(tmp_path: Path) -> None:
    database = tmp_path / "elsewhere.db"
    home = tmp_path / "home"
    ours = system(home, FIZZBUZZ_SQLITE_PATH=str(database))
    assert not any("left" in line for line in ours.wipe())
    database.write_text("")
    assert f"not deleted: {database} (FIZZBUZZ_SQLITE_PATH)" in list(ours.wipe())
    assert database.exists()


def test_wiping_says_that_outside_servers_keep_what_they_have(tmp_path: Path) -> None:
    servers = {
        "REDIS_URL": "redis://:secret-word@192.0.2.1/0",
        "FIZZBUZZ_STORE": "influxdb",
        "INFLUXDB_URL": "http://user:secret-word@192.0.2.2:8086",
        "INFLUXDB_TOKEN": "a token",
    }
    said = "\n".join(system(tmp_path / "home", **servers).wipe())
    assert "not deleted: the data in redis://192.0.2.1/0 (REDIS_URL)" in said
    assert "not deleted: the data in http://192.0.2.2:8086 (INFLUXDB_URL)" in said
    assert "secret-word" not in said


def test_a_system_is_stopped_where_nothing_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(Path, "touch", full)
    home = Layout(tmp_path)
    home.make()
    assert lifecycle.stop_gracefully(home, lambda: 0, lambda name: True) == 0


def test_programs_in_other_folders_find_the_files_of_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = {"INFLUXDB_CA": "tls/ca.crt", "FIZZBUZZ_PART": "web"}
    ours = system(tmp_path / "home")
    monkeypatch.setattr(ours, "is_running", lambda: True)
    monkeypatch.setattr(plan, "find", lambda _: Plan("python", (ProcessPlan("web", (), env),), ()))
    assert ours.environment() == {"INFLUXDB_CA": str(tmp_path / "home" / "tls" / "ca.crt")}


def test_services_inherit_a_short_list_of_variables_and_nothing_else() -> None:
    kept = {"PATH": "/bin", "HOME": "/me", "LANG": "C", "LC_ALL": "C", "TZ": "UTC", "TMPDIR": "/t"}
    kept |= {"SSL_CERT_FILE": "/c", "SSL_CERT_DIR": "/d", "REQUESTS_CA_BUNDLE": "/b"}
    other = {"AWS_SECRET_ACCESS_KEY": "s", "FIZZBUZZ_RATE": "1", "REDIS_URL": "r", "LD_PRELOAD": "x"}
    inherited = supervisor.inherited({**kept, **other, "NO_PROXY": "a.example"})
    assert inherited.items() >= kept.items()
    assert inherited["NO_PROXY"] == "a.example,127.0.0.1,localhost,::1"
    assert inherited.keys() == {*kept, "NO_PROXY", "no_proxy"}
