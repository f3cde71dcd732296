"""Which folders Docker mode mounts for certificates, and which settings it refuses."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from launcher import configuration, tls_preflight
from launcher.compose import certificates
from launcher.compose.project import Project
from launcher.compose.system import DockerSystem
from launcher.configuration import CHECKOUT, Configuration
from launcher.errors import USAGE, UserError
from tests.support.certificates import Certificates


@pytest.fixture
def made(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path / "certificates")


def load(home: Path, **settings: str) -> Configuration:
    return configuration.load({"FIZZBUZZ_HOME": str(home), **settings})


def compose(home: Path, **settings: str) -> dict[str, Any]:
    """The services of the compose file, as compose reads it."""
    if not shutil.which("docker"):
        pytest.skip("no docker on PATH")
    project = Project(load(home, **settings))
    command = project.command("config", "--format", "json")
    done = subprocess.run(command, env=project.environ(), capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)["services"]
    return found


def test_without_certificates_nothing_is_mounted_or_passed(tmp_path: Path) -> None:
    assert certificates.settings(load(tmp_path)) == {}
    found = compose(tmp_path)
    assert "certificates" not in found
    assert found["proxy"]["environment"]["TLS"] == ""
    assert found["consumer"]["environment"]["FIZZBUZZ_GRPC_TLS_CERT"] == ""


def test_folders_are_mounted_and_services_are_passed_the_paths_of_copies(
    tmp_path: Path, made: Certificates
) -> None:
    found = compose(tmp_path, **made.https(), **made.grpc())
    mounted = {one["target"]: one["source"] for one in found["certificates"]["volumes"]}
    assert mounted["/host/page"] == mounted["/host/grpc"] == str(made.folder)
    assert found["certificates"]["user"] == f"{os.getuid()}:10001"
    environment = found["certificates"]["environment"]
    assert environment["FIZZBUZZ_TLS_KEY"] == "/host/page/tls.key"
    assert environment["FIZZBUZZ_GRPC_TLS_CA"] == "/host/grpc/ca.crt"
    assert found["proxy"]["environment"]["TLS"] == "on"
    for service in ("gateway", "consumer"):
        assert found[service]["environment"]["FIZZBUZZ_GRPC_TLS_KEY"] == "/tls/grpc/tls.key"
        assert "FIZZBUZZ_TLS_CERT" not in found[service]["environment"]


def test_only_what_is_set_is_on(tmp_path: Path, made: Certificates) -> None:
    found = compose(tmp_path, **made.grpc())
    assert found["proxy"]["environment"]["TLS"] == ""
    assert found["certificates"]["environment"]["FIZZBUZZ_TLS_CERT"] == ""


def test_a_folder_holds_what_its_files_are_links_to(tmp_path: Path, made: Certificates) -> None:
    """As certbot has them: links in ``live/<name>`` to files in ``archive/<name>``."""
    archive, live = tmp_path / "le" / "archive" / "name", tmp_path / "le" / "live" / "name"
    for folder in (archive, live):
        folder.mkdir(parents=True)
    for name in ("tls.crt", "tls.key"):
        (made.folder / name).rename(archive / name)
        (live / name).symlink_to(Path("../../archive/name") / name)
    files = {"FIZZBUZZ_TLS_CERT": str(live / "tls.crt"), "FIZZBUZZ_TLS_KEY": str(live / "tls.key")}
    found = certificates.settings(load(tmp_path, **files))
    assert found["START_SH_TLS_FOLDER"] == str(tmp_path / "le")
    assert found["START_SH_TLS_CERT"] == "live/name/tls.crt"


def test_a_relative_path_starts_at_the_checkout(tmp_path: Path) -> None:
    files = {"FIZZBUZZ_TLS_CERT": "absent/../tls/tls.crt", "FIZZBUZZ_TLS_KEY": "tls/tls.key"}
    found = certificates.settings(load(tmp_path, **files))
    assert found == {
        "START_SH_TLS_FOLDER": str(CHECKOUT / "tls"),
        "START_SH_TLS_CERT": "tls.crt",
        "START_SH_TLS_KEY": "tls.key",
    }


def test_files_with_nothing_in_common_are_refused(tmp_path: Path) -> None:
    files = {"FIZZBUZZ_TLS_CERT": "/one/tls.crt", "FIZZBUZZ_TLS_KEY": "/other/tls.key"}
    with pytest.raises(UserError, match="docker mode needs them, and what they are links to, in one folder"):
        certificates.check(load(tmp_path, **files))


def test_what_the_container_can_not_read_is_said_with_the_path_of_this_machine(
    tmp_path: Path, made: Certificates
) -> None:
    found = load(tmp_path, **made.https())
    said = "certificates: FIZZBUZZ_TLS_KEY=/host/page/tls.key: permission denied"
    assert certificates.explain(found, said) == said.replace("/host/page/tls.key", str(made.key()))


def test_a_consumer_without_its_name_in_the_certificate_is_refused(
    tmp_path: Path, made: Certificates
) -> None:
    tls_preflight.check_containers(load(tmp_path, **made.grpc()))
    stranger = Certificates(tmp_path / "stranger")
    with pytest.raises(UserError, match="not accepted at consumer: ") as refused:
        tls_preflight.check_containers(
            load(tmp_path, **made.grpc() | {"FIZZBUZZ_GRPC_TLS_CA": str(stranger.ca)})
        )
    assert refused.value.status == USAGE


@pytest.mark.parametrize("name", ["INFLUXDB_CA", "REDIS_URL"])
def test_files_for_servers_outside_are_refused(tmp_path: Path, made: Certificates, name: str) -> None:
    value = {"INFLUXDB_CA": str(made.ca), "REDIS_URL": f"rediss://redis:6379/0?ssl_ca_certs={made.ca}"}[name]
    with pytest.raises(UserError, match=rf"^{name} \(set in the environment\) is not supported in docker"):
        DockerSystem(load(tmp_path, **{name: value})).prepare(None)
