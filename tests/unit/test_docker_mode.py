"""What docker mode makes of settings, of the engine's errors, and of what it reports of containers."""

import io
import json
import re
import shutil
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from deploy import keep_secrets
from launcher import configuration
from launcher.compose import containers, engine
from launcher.compose.containers import Container
from launcher.compose.project import Project
from launcher.compose.system import DockerSystem
from launcher.configuration import CHECKOUT
from launcher.layout import Layout
from launcher.local import influx_server
from launcher.log_stream import unix_s
from launcher.mode import COMPOSE_FILE
from pipeline.settings import DECLARED, read

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
    fields = {
        "health": "",
        "exit_code": 0,
        "started_s": 0.0,
        "restarts": 0,
        "pid": 7,
        "health_output": "",
        **more,
    }
    return Container("id", service, number, status, **fields)  # type: ignore[arg-type]


def test_compose_is_passed_no_secret(tmp_path: Path) -> None:
    env = project(tmp_path, FIZZBUZZ_RATE="2", **SECRETS).environ()
    assert env["FIZZBUZZ_RATE"] == "2"
    assert not set(env.values()) & set(SECRETS.values())


def test_compose_passes_the_default_of_a_setting_or_nothing_where_it_follows_from_another() -> None:
    passed = re.findall(r"\$\{(\w+):-([^}]*)\}", (CHECKOUT / COMPOSE_FILE).read_text())
    fixed = {name: one.default if isinstance(one.default, str) else "" for name, one in DECLARED.items()}
    assert {
        (name, default) for name, default in passed if name in DECLARED and fixed[name] != default
    } == set()
    assert ("FIZZBUZZ_BURST_SPAN_MS", "") in passed
    assert read({"FIZZBUZZ_RATE": "50", "FIZZBUZZ_BURST_SPAN_MS": ""}).burst_span_ms == 20


def test_the_container_of_redis_has_twice_its_memory(tmp_path: Path) -> None:
    name = "FIZZBUZZ_REDIS_CONTAINER_MEMORY"
    assert name not in project(tmp_path).environ()
    assert project(tmp_path, FIZZBUZZ_REDIS_MEMORY="2gb").environ()[name] == str(4 * 2**30)
    assert project(tmp_path, FIZZBUZZ_REDIS_MEMORY="16mb").environ()[name] == str(2**30)
    assert project(tmp_path, FIZZBUZZ_REDIS_MEMORY="2gb", **{name: "5g"}).environ()[name] == "5g"


def test_the_readable_file_holds_no_secret(tmp_path: Path) -> None:
    ours = project(tmp_path, FIZZBUZZ_WEB_PORT="5001", **SECRETS)
    ours.write_env_file()
    text = Layout(tmp_path).docker_env.read_text()
    assert 'FIZZBUZZ_WEB_PORT="5001"' in text
    assert f'COMPOSE_PROJECT_NAME="{ours.name}"' in text
    assert not any(secret in text for secret in SECRETS.values())


@pytest.mark.parametrize(
    ("setting", "services"),
    [
        ("FIZZBUZZ_REDIS_IMAGE", ["redis"]),
        ("FIZZBUZZ_INFLUXDB_IMAGE", ["influxdb"]),
        ("FIZZBUZZ_PYTHON_IMAGE", ["consumer", "gateway", "producer", "proxy", "secrets", "web", "worker"]),
    ],
)
def test_an_image_can_be_pinned_by_its_digest(tmp_path: Path, setting: str, services: list[str]) -> None:
    if not shutil.which("docker"):
        pytest.skip("no docker on PATH")
    image = f"registry.example/name:1@sha256:{'0123456789abcdef' * 4}"
    ours = project(tmp_path, **{setting: image})
    command = ours.command("config", "--format", "json")
    output = subprocess.run(command, env=ours.environ(), capture_output=True, text=True, check=True).stdout
    read = json.loads(output)["services"]
    assert {
        one.get("image") or one["build"]["args"]["PYTHON_IMAGE"]
        for name, one in read.items()
        if name in services
    } == {image}


def test_programs_in_other_folders_find_the_files_of_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"FIZZBUZZ_HOME": str(tmp_path), "FIZZBUZZ_API_TOKEN_FILE": "token"}
    (tmp_path / "token").write_text("sixteen-letters!")
    monkeypatch.chdir(tmp_path)  # as start.sh does
    ours = DockerSystem(configuration.load(given, CHECKOUT))
    monkeypatch.setattr(ours, "_containers", lambda: [container("web"), container("worker")])
    monkeypatch.setattr(engine, "run", lambda *words: "what the container has")
    assert ours.environment()["FIZZBUZZ_API_TOKEN_FILE"] == str(CHECKOUT / "token")


@pytest.mark.parametrize(
    ("started", "since"), [("0001-01-01", "-"), ("2026-01-01", "2025-12-31T19:00:00-05:00")]
)
def test_a_container_that_did_not_start_yet_has_no_time(
    monkeypatch: pytest.MonkeyPatch, started: str, since: str
) -> None:
    labels = {"com.docker.compose.service": "web"}
    state = {"Status": "created", "ExitCode": 0, "StartedAt": f"{started}T00:00:00Z", "Pid": 0}
    inspected = [{"Id": "id", "Config": {"Labels": labels}, "State": state, "RestartCount": 0}]
    monkeypatch.setattr(engine, "run", lambda *words: json.dumps(inspected) if "inspect" in words else "id")
    monkeypatch.setenv("TZ", "EST5")  # west of Greenwich
    time.tzset()
    try:
        found = containers.find("project")[0].service_status()
        assert f" since {since} " in found.line()
        assert found.as_dict()["since"] == (None if since == "-" else since)
    finally:
        monkeypatch.undo()
        time.tzset()


def test_two_homes_are_two_projects_and_one_home_is_always_the_same(tmp_path: Path) -> None:
    assert project(tmp_path / "a").name != project(tmp_path / "b").name
    assert project(tmp_path / "a").name == project(tmp_path / "a").name


def test_secrets_are_kept_for_their_owner_alone_and_made_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("api", "influxdb"):
        (tmp_path / folder).mkdir()
    redis = tmp_path / "redis"
    redis.mkdir()
    keep_secrets.main([], tmp_path, redis)
    token, password = (tmp_path / file for file in keep_secrets.FILES.values())
    made = password.read_text()
    keep_secrets.main([], tmp_path, redis)
    assert (token.read_text(), password.read_text()) == ("", made)
    assert len(made) >= 24
    monkeypatch.setattr(sys, "stdin", io.StringIO('{"api_token": "one", "influxdb_password": "two"}'))
    keep_secrets.main(["--given"], tmp_path, redis)
    assert (token.read_text(), password.read_text()) == ("one", "two")
    assert {stat.S_IMODE(path.stat().st_mode) for path in (token, password)} == {0o400}
    modes = {
        path.relative_to(redis).as_posix(): stat.S_IMODE(path.stat().st_mode) for path in redis.glob("*/*")
    }
    assert modes["worker/url"] == modes["consumer/password"] == 0o400
    assert modes["server/users.acl"] == modes["launcher/password"] == 0o444  # Redis's image has another user


def test_a_command_in_a_workers_container_gets_nothing_but_its_arguments(tmp_path: Path) -> None:
    wanted = configuration.load({"FIZZBUZZ_HOME": str(tmp_path), **SECRETS})
    command, environ = DockerSystem(wanted).in_worker_container(("python", "-m", "worker.failed", "list"))
    assert command[:4] == ["docker", "compose", "-p", Project(wanted).name]
    assert command[6:] == ["exec", "-T", "worker", "python", "-m", "worker.failed", "list"]
    assert not set(environ.values()) & set(SECRETS.values())


@pytest.mark.parametrize("value", ["it's", 'a "b"', "a$b ${HOME}", "a\\b", "a#b", "50%"])
def test_compose_reads_back_what_the_readable_file_holds(tmp_path: Path, value: str) -> None:
    if not shutil.which("docker"):
        pytest.skip("no docker on PATH")
    ours = project(tmp_path, INFLUXDB_ORG=value)
    ours.write_env_file()
    command = ["docker", "compose", "--env-file", str(Layout(tmp_path).docker_env)]
    command += ["-f", str(CHECKOUT / "deploy" / "docker-compose.yml"), "config", "--format", "json"]
    read = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert read["services"]["web"]["environment"]["INFLUXDB_ORG"].replace("$$", "$") == value
    assert read["name"] == ours.name


@pytest.mark.parametrize(
    ("output", "meant"),
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
        ("", "it failed: docker wrote nothing"),
    ],
)
def test_an_error_of_docker_is_one_line_with_the_remedy(output: str, meant: str) -> None:
    line = engine.explain(output, "it failed")
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
def test_states_have_the_same_names_in_every_mode(one: Container, state: str) -> None:
    assert one.service_status().state == state


def test_a_set_up_that_did_its_work_is_no_service_any_more() -> None:
    assert container("influxdb-setup", status="exited").is_done
    assert not container("worker", status="exited").is_done


def test_a_replica_has_a_number_where_there_may_be_more() -> None:
    names = [container("gateway").name, container("gateway", 2).name, container("worker").name]
    assert names == ["gateway", "gateway-2", "worker-1"]


def test_the_engines_nine_digits_are_read() -> None:
    assert unix_s("1970-01-01T00:01:00.500000001Z") == pytest.approx(60.5)
    assert unix_s("1970-01-01T00:01:00Z") == 60


def test_compose_is_passed_what_its_file_asks_for_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("FIZZBUZZ_RATE=3\nMY_OWN_PASSWORD=mine\nFIZZBUZZ_SQLITE_PATH=/x\n")
    ours = project(tmp_path)
    ours.write_env_file()
    file = Layout(tmp_path).docker_env
    assert 'FIZZBUZZ_RATE="3"' in file.read_text()
    assert "MY_OWN_PASSWORD" not in file.read_text()
    assert "FIZZBUZZ_SQLITE_PATH" not in file.read_text()
    assert "MY_OWN_PASSWORD" not in ours.environ()


def test_the_readable_file_is_its_owners_alone_where_it_was_not_before(tmp_path: Path) -> None:
    file = Layout(tmp_path).docker_env
    file.write_text("old")
    file.chmod(0o644)
    project(tmp_path).write_env_file()
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(("token", "file"), [("", ""), ("t" * 16, "/secrets/api/api_token")])
def test_services_are_passed_no_file_of_a_token_where_there_is_none(
    tmp_path: Path, token: str, file: str
) -> None:
    assert project(tmp_path, FIZZBUZZ_API_TOKEN=token).environ()["START_SH_TOKEN_FILE"] == file


@pytest.mark.parametrize(
    ("version", "mode"), [("20.10.24", "nat"), ("27.5.1", "nat"), ("28.0.0", "isolated")]
)
def test_bridges_are_isolated_where_the_engine_can(version: str, mode: str) -> None:
    assert engine.bridge_mode(version) == mode


def test_influxdb_has_the_same_write_cache_in_both_modes() -> None:
    assert influx_server.WRITE_CACHE in influx_server.argv(Path("influxd"), Path("data"), "127.0.0.1", 8086)
    assert f"- {influx_server.WRITE_CACHE} " in (CHECKOUT / "deploy" / "docker-compose.yml").read_text()
