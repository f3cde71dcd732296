"""What a start says of addresses that can't be right, before anything is touched."""

import socket
from contextlib import nullcontext
from pathlib import Path

import pytest

from launcher import configuration, containerized
from launcher.errors import USAGE, UserError
from launcher.local import plan_builder, preflight
from launcher.local.plan import Plan, ProcessPlan


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"REDIS_URL": "redis://a..b:6379"}, "REDIS_URL .*: its host is not a valid name"),
        ({"REDIS_URL": "redis+sentinel://a..b:26379/primary"}, "REDIS_URL .*: its host is not a valid name"),
        (
            {"FIZZBUZZ_STORE": "influxdb", "INFLUXDB_URL": "https://a..b", "INFLUXDB_TOKEN": "t" * 16},
            "INFLUXDB_URL .*: no InfluxDB answers there",
        ),
    ],
)
def test_a_host_that_is_no_name_is_one_line(tmp_path: Path, given: dict[str, str], said: str) -> None:
    wanted = configuration.load({"FIZZBUZZ_HOME": str(tmp_path), **given})
    with pytest.raises(UserError, match=f"^{said}$") as raised:
        preflight.check(wanted, None)
    assert raised.value.status == USAGE


def test_a_redis_that_a_file_names_is_checked_as_one_that_a_setting_names(tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text("redis://a..b:6379")
    wanted = configuration.load({"FIZZBUZZ_HOME": str(tmp_path), "REDIS_URL_FILE": str(file)})
    with pytest.raises(
        UserError, match=r"^REDIS_URL_FILE \(set in the environment\): its host is not a valid name"
    ):
        preflight.check(wanted, None)


@pytest.mark.parametrize("mode", ["docker", "kubernetes"])
def test_containers_have_no_outside_redis_in_a_file_either(tmp_path: Path, mode: str) -> None:
    file = tmp_path / "url"
    file.write_text("redis://there")
    wanted = configuration.load({"FIZZBUZZ_HOME": str(tmp_path), "REDIS_URL_FILE": str(file)})
    with pytest.raises(UserError, match=f"^REDIS_URL_FILE .* is not supported in {mode} mode"):
        containerized.check_settings(wanted, mode)


@pytest.mark.parametrize("name", ["FIZZBUZZ_BIND", "FIZZBUZZ_GRPC_BIND", "FIZZBUZZ_METRICS_BIND"])
def test_an_address_of_another_machine_stops_a_restart_on_the_same_ports(tmp_path: Path, name: str) -> None:
    wanted = configuration.load({"FIZZBUZZ_HOME": str(tmp_path), name: "192.0.2.1"})
    running = Plan("python", (), tuple(plan_builder.wanted_ports(wanted).values()))
    with pytest.raises(UserError, match=rf"^{name}=192\.0\.2\.1: can't listen on that address"):
        preflight.check(wanted, running)


def test_a_port_of_ours_that_another_program_has_on_the_new_address_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.2", 0)) as other:
        port = other.getsockname()[1]
        given = {"FIZZBUZZ_HOME": str(tmp_path), "FIZZBUZZ_GRPC_PORT": str(port)}
        wanted = configuration.load({**given, "FIZZBUZZ_GRPC_BIND": "127.0.0.2"})
        ours = tuple(plan_builder.wanted_ports(wanted).values())
        for before, is_free in (("127.0.0.1", False), ("127.0.0.2", True), ("0.0.0.0", True)):
            consumer = ProcessPlan("consumer", (), {"FIZZBUZZ_GRPC_BIND": before})
            running = Plan("python", (consumer,), ours)
            with nullcontext() if is_free else pytest.raises(UserError, match=f"port {port} is taken"):
                preflight.check(wanted, running)
