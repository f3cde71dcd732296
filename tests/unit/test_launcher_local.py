"""What local mode says of itself."""

from pathlib import Path

import pytest

from launcher import configuration
from launcher.local.system import LocalSystem


def system(home: Path, **given: str) -> LocalSystem:
    return LocalSystem(configuration.load({"FIZZBUZZ_HOME": str(home), **given}, home))


def test_wiping_says_which_data_lies_outside_and_stays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = tmp_path / "elsewhere.db"
    home = tmp_path / "home"
    ours = system(home, FIZZBUZZ_SQLITE_PATH=str(database))
    ours.down(wipe=True)
    assert "left" not in capsys.readouterr().out
    database.write_text("")
    ours.down(wipe=True)
    assert f"left as it is: {database} (FIZZBUZZ_SQLITE_PATH)" in capsys.readouterr().out
    assert database.exists()


def test_wiping_says_that_outside_servers_keep_what_they_have(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    servers = {
        "REDIS_URL": "redis://:secret-word@192.0.2.1/0",
        "FIZZBUZZ_STORE": "influxdb",
        "INFLUXDB_URL": "http://user:secret-word@192.0.2.2:8086",
        "INFLUXDB_TOKEN": "a token",
    }
    system(tmp_path / "home", **servers).down(wipe=True)
    said = capsys.readouterr().out
    assert "left as it is: the data in redis://192.0.2.1/0 (REDIS_URL)" in said
    assert "left as it is: the data in http://192.0.2.2:8086 (INFLUXDB_URL)" in said
    assert "secret-word" not in said
