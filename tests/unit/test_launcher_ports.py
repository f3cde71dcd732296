import socket
from pathlib import Path

import pytest

from launcher import configuration, containerized, ports
from launcher.errors import USAGE, UserError
from launcher.saved_state import SavedState
from tests.support.ports import free_port


def test_a_taken_port_is_named_with_its_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(UserError, match=f"port {port} is taken .* FIZZBUZZ_WEB_PORT"):
            ports.check("127.0.0.1", {"FIZZBUZZ_GATEWAY_PORT": free_port(), "FIZZBUZZ_WEB_PORT": port})
    ports.check("127.0.0.1", {"FIZZBUZZ_WEB_PORT": port})


def test_an_address_of_another_machine_is_named() -> None:
    with pytest.raises(UserError, match=r"FIZZBUZZ_BIND=192\.0\.2\.1"):
        ports.check("192.0.2.1", {"FIZZBUZZ_WEB_PORT": free_port()})


def test_where_this_system_listens_is_free_for_its_next_start() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        wanted = {"FIZZBUZZ_WEB_PORT": port}
        for ours, bind in (("127.0.0.1", "127.0.0.1"), ("127.0.0.1", "0.0.0.0"), ("0.0.0.0", "127.0.0.1")):
            ports.check(bind, wanted, ours={(ours, port)})
        with pytest.raises(UserError, match=f"port {port} is taken"):
            ports.check("127.0.0.1", wanted, ours={("127.0.0.2", port)})


def test_an_address_of_another_machine_is_named_where_every_port_is_ours(tmp_path: Path) -> None:
    given = {"FIZZBUZZ_BIND": "192.0.2.1", "FIZZBUZZ_HOME": str(tmp_path)}
    saved = SavedState("docker", True, {}, "code", "packages")
    with pytest.raises(UserError, match=r"FIZZBUZZ_BIND=192\.0\.2\.1"):
        containerized.check_ports(configuration.load(given, tmp_path), saved)


def test_of_the_system_that_runs_just_the_ports_count(tmp_path: Path) -> None:
    """A file that it was started with may be gone, and is not needed again."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        given = {"FIZZBUZZ_WEB_PORT": port, "FIZZBUZZ_GATEWAY_PORT": str(free_port())}
        given |= {"FIZZBUZZ_INFLUX_PORT": str(free_port())}
        saved = SavedState("docker", True, {**given, "FIZZBUZZ_API_TOKEN_FILE": "/gone"}, "code", "packages")
        containerized.check_ports(configuration.load(given, tmp_path), saved)


def test_two_settings_may_not_name_one_port(tmp_path: Path) -> None:
    given = {"FIZZBUZZ_WEB_PORT": "8086", "FIZZBUZZ_HOME": str(tmp_path)}
    found = configuration.load(given, tmp_path)
    assert ports.wanted(found, grpc=True, influx=False)["FIZZBUZZ_WEB_PORT"] == 8086
    with pytest.raises(UserError, match="FIZZBUZZ_INFLUX_PORT=8086: FIZZBUZZ_WEB_PORT") as raised:
        ports.wanted(found, grpc=True, influx=True)
    assert raised.value.status == USAGE
