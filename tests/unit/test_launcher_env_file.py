import stat
from pathlib import Path

import pytest

from launcher import env_file
from launcher.errors import USAGE, UserError


def test_values_come_without_quotes_comments_and_export(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("# a comment\n\nA=1\nexport B = two \nC='a # b'\nD=\"x=y\"\nE=5 # five\nF=\nG=a#b\n")
    assert env_file.read(file) == {
        "A": "1",
        "B": "two",
        "C": "a # b",
        "D": "x=y",
        "E": "5",
        "F": "",
        "G": "a#b",
    }


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ('"/tmp/x.db" # my database', "/tmp/x.db"),
        ("'a # b' # it's a comment", "a # b"),
        ('"a"# b', "a"),
        ('"" # none', ""),
        (" # none", ""),
        ("it's", "it's"),
    ],
)
def test_a_value_in_quotes_ends_at_the_closing_one(tmp_path: Path, value: str, read: str) -> None:
    file = tmp_path / ".env"
    file.write_text(f"A={value}\n")
    assert env_file.read(file) == {"A": read}


def test_no_file_means_no_settings(tmp_path: Path) -> None:
    assert env_file.read(tmp_path / ".env") == {}


@pytest.mark.parametrize("line", ["nonsense", "=1", "a b=1", 'B="x" y', "B='x'y'", 'B="x'])
def test_a_line_without_sense_is_named(tmp_path: Path, line: str) -> None:
    file = tmp_path / ".env"
    file.write_text(f"A=1\n{line}\n")
    with pytest.raises(UserError, match=r"\.env, line 2") as raised:
        env_file.read(file)
    assert raised.value.status == USAGE


def test_a_line_without_sense_is_left_out_where_only_the_home_is_wanted(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("A='x\nB=1\n")
    assert env_file.read(file, strict=False) == {"B": "1"}
    file.write_text("FIZZBUZZ_HOME='x\n")
    with pytest.raises(UserError, match=r"\.env, line 1: the quote ' is not closed"):
        env_file.read(file, strict=False)


def test_the_first_file_has_random_secrets_and_is_its_owners_alone(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    assert env_file.create(one, {})
    assert env_file.create(other, {})
    assert stat.S_IMODE(one.stat().st_mode) == 0o600
    assert len(env_file.read(one)["INFLUXDB_PASSWORD"]) >= 24
    assert env_file.read(one) != env_file.read(other)


def test_a_file_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("A=1\n")
    assert not env_file.create(file, {})
    assert file.read_text() == "A=1\n"


def test_a_secret_that_the_environment_gives_is_not_made_up(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    for name in ("INFLUXDB_PASSWORD", "INFLUXDB_PASSWORD_FILE"):
        env_file.create(file, {name: "mine"})
        assert env_file.read(file) == {}
        file.unlink()


@pytest.mark.parametrize(
    "content", [b"", b"A=1\n", b"A=1", b"\xef\xbb\xbf# mine\r\nA=1\r\nINFLUXDB_PASSWORD=\r\n"]
)
def test_what_is_missing_is_added_to_the_users_own_file_and_its_lines_stay(
    tmp_path: Path, content: bytes
) -> None:
    file, link = tmp_path / "file", tmp_path / ".env"
    file.write_bytes(content)
    file.chmod(0o644)
    link.symlink_to(file)
    assert env_file.add_secrets(link, {})
    assert file.read_bytes().startswith(content)
    assert link.is_symlink()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    found = env_file.read(link)
    assert len(found["INFLUXDB_PASSWORD"]) >= 24
    assert found.get("A", "1") == "1"
    assert not env_file.add_secrets(link, found)


@pytest.mark.parametrize("name", ["INFLUXDB_PASSWORD", "INFLUXDB_PASSWORD_FILE"])
def test_a_secret_that_is_set_somewhere_is_not_added(tmp_path: Path, name: str) -> None:
    file = tmp_path / ".env"
    file.write_text("A=1\n")
    assert not env_file.add_secrets(file, {name: "mine"})
    assert file.read_text() == "A=1\n"


def test_it_is_written_where_the_system_has_no_fchmod(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("os.fchmod")  # Windows, before Python 3.13
    assert env_file.create(tmp_path / ".env", {})
    assert env_file.read(tmp_path / ".env")
