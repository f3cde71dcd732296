"""What docker mode makes of settings, of the engine's words, and of what it says of containers."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from launcher import configuration, mode
from launcher.configuration import CHECKOUT
from launcher.docker import DockerSystem, bring, containers, engine, images
from launcher.docker.containers import Container, unix_s
from launcher.docker.project import Project
from launcher.problem import Problem
from tests.ports import free_port

SECRETS = {
    "FIZZBUZZ_API_TOKEN": "secret-of-the-api",
    "INFLUXDB_PASSWORD": "secret-of-the-ui",
    "INFLUXDB_TOKEN": "secret-of-the-database",
}


def project(home: Path, **settings: str) -> Project:
    return Project(configuration.load({"FIZZBUZZ_HOME": str(home), **settings}))


def container(
    service: str = "gateway", number: int = 1, status: str = "running", **more: object
) -> Container:
    fields = {"health": "", "exit_code": 0, "started_s": 0.0, "restarts": 0, **more}
    return Container("id", service, number, status, **fields)  # type: ignore[arg-type]


def test_compose_is_told_no_secret(tmp_path: Path) -> None:
    told = project(tmp_path, FIZZBUZZ_RATE="2", **SECRETS).environ()
    assert told["FIZZBUZZ_RATE"] == "2"
    assert not set(told.values()) & set(SECRETS.values())


def test_the_file_for_people_holds_no_secret(tmp_path: Path) -> None:
    ours = project(tmp_path, FIZZBUZZ_WEB_PORT="5001", **SECRETS)
    ours.write_env_file()
    text = ours.env_file.read_text()
    assert "FIZZBUZZ_WEB_PORT='5001'" in text
    assert f"COMPOSE_PROJECT_NAME='{ours.name}'" in text
    assert not any(secret in text for secret in SECRETS.values())


def test_two_homes_are_two_projects_and_one_home_is_always_the_same(tmp_path: Path) -> None:
    assert project(tmp_path / "a").name != project(tmp_path / "b").name
    assert project(tmp_path / "a").name == project(tmp_path / "a").name


def test_secrets_lie_in_a_folder_that_only_its_owner_enters(tmp_path: Path) -> None:
    ours = project(tmp_path)
    ours.write_secrets({"api_token": "one"})
    ours.write_secrets({"api_token": "two"})
    assert (ours.secrets / "api_token").read_text() == "two"
    assert ours.secrets.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (
            "Cannot connect to the Docker daemon at unix:///run/docker.sock. Is the docker daemon running?",
            "the Docker engine is not running: start it",
        ),
        (
            "permission denied while trying to connect to the Docker daemon socket at unix:///run/docker.sock",
            "you may not use the Docker engine: add yourself to the group docker",
        ),
        (
            "write /var/lib/docker/tmp/x: no space left on device",
            "no space is left on the Docker engine's disk",
        ),
        (
            "driver failed programming: Bind for 127.0.0.1:5000 failed: port is already allocated",
            "port 127.0.0.1:5000 is taken by another program",
        ),
        (
            "could not find an available, non-overlapping IPv4 address pool among the defaults",
            "Docker has no network addresses left",
        ),
        (
            "Error response from daemon: pull access denied for influxdb, repository does not exist",
            "the image influxdb is not here and can't be fetched",
        ),
        ("one line\nthe last line\n", "it failed: the last line"),
        ("", "it failed: docker said nothing"),
    ],
)
def test_what_docker_says_is_told_in_one_line_with_the_mend(said: str, meant: str) -> None:
    line = engine.meaning(said, "it failed")
    assert line.startswith(meant)
    assert "\n" not in line


@pytest.mark.parametrize(
    ("one", "state"),
    [
        (container(health="healthy"), "healthy"),
        (container(health="starting"), "starting"),
        (container(health="unhealthy"), "unhealthy"),
        (container(status="restarting"), "starting"),
        (container(status="exited", exit_code=137), "stopped"),
        (container("influxdb-setup", status="exited", exit_code=1), "unhealthy"),
    ],
)
def test_states_have_the_words_of_every_mode(one: Container, state: str) -> None:
    assert one.part_status().state == state


def test_a_set_up_that_did_its_work_is_no_part_any_more() -> None:
    assert container("influxdb-setup", status="exited").is_done
    assert not container("worker", status="exited").is_done


def test_a_copy_has_a_number_where_there_may_be_more() -> None:
    names = [container("gateway").name, container("gateway", 2).name, container("worker").name]
    assert names == ["gateway", "gateway-2", "worker-1"]


def test_the_engines_nine_digits_are_read() -> None:
    assert unix_s("1970-01-01T00:01:00.500000001Z") == pytest.approx(60.5)
    assert unix_s("1970-01-01T00:01:00Z") == 60


@pytest.fixture
def no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that has everything built and nothing running."""
    monkeypatch.setattr(engine, "check", lambda: None)
    monkeypatch.setattr(containers, "find", lambda name: [])
    monkeypatch.setattr(images, "build", lambda project, logs: None)
    monkeypatch.setattr(Project, "run", lambda self, failed, *words: "")


@pytest.mark.usefixtures("no_engine")
def test_the_mode_is_written_before_anything_starts_and_cleared_when_the_start_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ports = {f"FIZZBUZZ_{name}_PORT": str(free_port()) for name in ("WEB", "GATEWAY", "INFLUX")}
    ours = configuration.load({"FIZZBUZZ_HOME": str(tmp_path), **ports})
    seen = []

    def start(*_: object) -> None:
        seen.append(mode.remembered(ours))
        raise Problem("no")

    monkeypatch.setattr(bring, "start", start)
    with pytest.raises(Problem, match="no"):
        DockerSystem(ours).up()
    assert seen == [mode.DOCKER]
    assert mode.remembered(ours) is None


def test_a_mode_that_was_half_written_counts_as_none(tmp_path: Path) -> None:
    ours = configuration.load({"FIZZBUZZ_HOME": str(tmp_path)})
    ours.home.mode.write_bytes(b"\xff\xfe")
    assert mode.remembered(ours) is None
    mode.remember(ours, mode.LOCAL)
    assert mode.remembered(ours) == mode.LOCAL
    assert [path.name for path in tmp_path.iterdir()] == ["mode"]


def test_compose_is_told_what_its_file_asks_for_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("FIZZBUZZ_RATE=3\nMY_OWN_PASSWORD=mine\nFIZZBUZZ_SQLITE_PATH=/x\n")
    ours = project(tmp_path)
    ours.write_env_file()
    text = ours.env_file.read_text()
    assert "FIZZBUZZ_RATE='3'" in text
    assert "MY_OWN_PASSWORD" not in text
    assert "FIZZBUZZ_SQLITE_PATH" not in text
    assert "MY_OWN_PASSWORD" not in ours.environ()
    assert ours.env_file.stat().st_mode & 0o777 == 0o600


def test_the_file_for_people_is_its_owners_alone_where_it_was_not_before(tmp_path: Path) -> None:
    ours = project(tmp_path)
    ours.env_file.write_text("old")
    ours.env_file.chmod(0o644)
    ours.write_env_file()
    assert ours.env_file.stat().st_mode & 0o777 == 0o600


_ROTATE = """
import os, sys
from launcher import configuration
from launcher.docker.project import Project
ours = Project(configuration.load({"FIZZBUZZ_HOME": sys.argv[1]}))
os.setuid(int(sys.argv[2]))
for value in ("a longer one", "two"):
    ours.write_secrets({"api_token": value})
"""


def test_a_user_without_rights_writes_secrets_again_into_the_file_that_is_mounted() -> None:
    """Such a user may not write a file of mode 0444, as containers' users need it; root may."""
    user = 65_534 if os.getuid() == 0 else os.getuid()
    with tempfile.TemporaryDirectory() as folder:
        os.chown(folder, user, -1)
        command = [sys.executable, "-c", _ROTATE, folder, str(user)]
        done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        ours = project(Path(folder))
        file = ours.secrets / "api_token"
        assert file.read_text() == "two"
        assert file.stat().st_mode & 0o777 == 0o444
        inode = file.stat().st_ino
        ours.write_secrets({"api_token": "three"})
        assert (file.read_text(), file.stat().st_ino) == ("three", inode)


@pytest.mark.parametrize(("token", "secured"), [("", None), ("t" * 16, "1")])
def test_services_are_given_no_file_of_a_token_where_there_is_none(
    tmp_path: Path, token: str, secured: str | None
) -> None:
    assert project(tmp_path, FIZZBUZZ_API_TOKEN=token).environ().get("FIZZBUZZ_SECURED") == secured


@pytest.mark.parametrize(
    ("version", "mode"), [("20.10.24", "nat"), ("27.5.1", "nat"), ("28.0.0", "isolated")]
)
def test_bridges_are_isolated_where_the_engine_can(version: str, mode: str) -> None:
    assert engine.gateway_mode(version) == mode
