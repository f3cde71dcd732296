"""Docker mode with certificates, whose keys are their owner's alone: renewals under load, and wrong files."""

import json
import os
import shutil
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.docker.test_by_hand import FREEZE, ByHand
from tests.support import behind_proxy, checkout
from tests.support.certificates import Certificates
from tests.support.compose_site import Site, inspect
from tests.support.waiting import MOST, Stopwatch, until

pytestmark = pytest.mark.long

FRONTS = ("FIZZBUZZ_WEB_PORT", "FIZZBUZZ_GATEWAY_PORT")
OWNER = os.getuid() or 12_345
"""Not root, whom the containers of a service are never."""
ALIVE_S = 3.0
"""The page's stream has an event at least as often."""

_IS_SERVED = """
import grpc, sys
from pathlib import Path
folder = Path("/tls/grpc")
ca, crt, key = ((folder / name).read_bytes() for name in ("ca.crt", "tls.crt", "tls.key"))
channels = {
    "plain": lambda: grpc.insecure_channel("consumer:50051"),
    "unknown": lambda: grpc.secure_channel("consumer:50051", grpc.ssl_channel_credentials(ca)),
    "known": lambda: grpc.secure_channel("consumer:50051", grpc.ssl_channel_credentials(ca, key, crt)),
}
for name, channel in channels.items():
    health = channel().unary_unary("/grpc.health.v1.Health/Check")
    try:
        health(b"", timeout=3)
        print(name)
    except grpc.RpcError:
        pass
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    made = Certificates(tmp_path_factory.mktemp("certificates") / checkout.ODD)
    made.make("grpc")
    own(made.folder, *made.folder.iterdir())
    return made


@pytest.fixture(scope="module")
def tls_site(made: Certificates) -> Iterator[Site]:
    folder = Path(tempfile.mkdtemp(prefix="fizzbuzz-docker-tls-"))
    site = Site(folder / checkout.ODD, **made.https(), **made.grpc("grpc"))
    try:
        site.up()
        yield site
    finally:
        done = site.start_sh("down")
        wiped = site.start_sh("down", "--wipe")
        shutil.rmtree(folder, ignore_errors=True)
        assert (wiped.returncode, site.left()) == (0, []), done.stderr + wiped.stderr


@pytest.fixture
def site(tls_site: Site) -> Site:
    until(tls_site.all_healthy, 60, "all healthy")
    return tls_site


def own(*paths: Path) -> None:
    """Give them to their owner, who is this user unless that is root."""
    for path in paths:
        os.chown(path, OWNER, OWNER if os.getuid() == 0 else -1)


def renew(made: Certificates, name: str, days: int = 30) -> None:
    """As an authority's client does: files of their owner, one after the other."""
    made.make("new", days=days)
    for new, old in ((made.key("new"), made.key(name)), (made.crt("new"), made.crt(name))):
        own(new)
        new.rename(old)


def port(site: Site, front: str) -> int:
    return int(site.settings[front])


def shows(site: Site, made: Certificates) -> bool:
    try:
        return all(made.shown(port(site, front)) == made.der() for front in FRONTS)
    except OSError:  # the proxy is started again
        return False


def connect(site: Site, made: Certificates) -> HTTPSConnection:
    return HTTPSConnection("127.0.0.1", port(site, FRONTS[1]), timeout=30, context=made.client())


def answers(connection: HTTPSConnection) -> bool:
    connection.request("GET", "/healthz")
    answer = connection.getresponse()
    return bool(answer.read()) and answer.status == 200


def logged(site: Site, level: str, *services: str) -> list[str]:
    lines = [json.loads(line) for line in site.start_sh("logs").stdout.splitlines()]
    return [one["message"] for one in lines if one["level"] == level and part(one) in services]


class Stream:
    """The page's stream, read by a thread over one connection."""

    def __init__(self, site: Site, made: Certificates) -> None:
        self._url = f"https://127.0.0.1:{port(site, FRONTS[0])}/fizzbuzz/stream"
        self._ca = str(made.ca)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._read)
        self.gaps_s: list[float] = []
        """Between one event and the next; on a busy machine, of a machine that is not."""

    def __enter__(self) -> "Stream":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ending.set()
        self._thread.join(20)

    def _read(self) -> None:
        watch: Stopwatch | None = None
        with requests.get(self._url, stream=True, verify=self._ca, timeout=MOST * ALIVE_S) as stream:
            for line in stream.iter_lines(chunk_size=1):
                if line.startswith(b"data:"):
                    self.gaps_s += [watch.seconds] if watch else []
                    watch = Stopwatch()
                if self._ending.is_set():
                    return

    @property
    def is_open(self) -> bool:
        return self._thread.is_alive()


@pytest.mark.timeout(400)
def test_page_and_api_are_served_by_https_alone(site: Site, made: Certificates) -> None:
    printed = site.start_sh("up").stdout
    assert f"https://127.0.0.1:{site.settings[FRONTS[0]]}/fizzbuzz/" in printed
    assert f"https://127.0.0.1:{site.settings[FRONTS[1]]}/messages" in printed
    assert shows(site, made)
    url = f"https://127.0.0.1:{site.settings[FRONTS[1]]}"
    request = urllib.request.Request(url, headers={"Accept": "application/json"})
    said = json.loads(behind_proxy.read(request, made.client()))
    assert f"curl {url}/messages" in said["example"]
    with pytest.raises(requests.ConnectionError):
        requests.get(url.replace("https", "http"), timeout=5)
    assert site.start_sh("status").returncode == 0


def test_the_consumer_serves_only_who_has_a_certificate(site: Site) -> None:
    done = site.run_in("gateway", "python", "-c", _IS_SERVED)
    assert (done.stdout.split(), done.stderr) == (["known"], "")


def test_a_key_is_readable_only_where_it_is_needed(site: Site) -> None:
    copies = {"proxy": "/tls/page/tls.pem", "gateway": "/tls/grpc/tls.key", "consumer": "/tls/grpc/tls.key"}
    for service in ("producer", "gateway", "consumer", "worker", "web", "proxy"):
        find = "rm -f /tls/*/*; ls -d /host; grep -ls 'PRIVATE KEY' /tls/*/*"
        assert site.run_in(service, "sh", "-c", find).stdout.split() == [*filter(None, [copies.get(service)])]
    (keeper,) = inspect(site.containers("certificates")[0].id)
    assert keeper["Config"]["User"] == f"{OWNER}:10001"
    assert keeper["HostConfig"]["NetworkMode"] == "none"
    assert keeper["HostConfig"]["CapDrop"] == ["ALL"]


@pytest.mark.timeout(300)
def test_renewals_under_load_lose_no_message_and_close_no_connection(site: Site, made: Certificates) -> None:
    report = site.configuration.home.path / "load.json"
    with Stream(site, made) as stream, closing(connect(site, made)) as stays:
        stays.connect()
        assert answers(stays)  # at once: the proxy closes a connection that asks nothing for 5 s
        first = stays.sock
        answered: list[bool] = []

        def renew_all() -> None:
            for _ in range(3):
                time.sleep(3)
                for name in ("tls", "grpc"):
                    renew(made, name)
                    answered.append(answers(stays))

        renewing = threading.Thread(target=renew_all)
        renewing.start()
        done = site.start_sh("load", "--rate", "50", "--for", "14", "--no-retry", "--json", str(report))
        renewing.join()
        assert done.returncode == 0, done.stdout + done.stderr
        until(lambda: shows(site, made), 15, "the renewed certificate is shown")
        assert answered == [True] * 6
        assert stays.sock is first
        assert stream.is_open
    assert max(stream.gaps_s) < ALIVE_S
    assert json.loads(report.read_text())["verdict"] == "VALID"
    assert logged(site, "error", "certificates", "consumer") == []  # on a busy machine a gateway tries again
    until(lambda: _uses_the_last(site), 15, "each uses the last one")
    assert site.start_sh("status").returncode == 0


def part(line: dict[str, str]) -> str:
    return line["part"].partition("-")[0]


def _uses_the_last(site: Site) -> bool:
    wanted = {"gateway": 3, "consumer": 3, "certificates": 6}
    return all(_renewals(site, service) >= count for service, count in wanted.items())


def _renewals(site: Site, service: str) -> int:
    return logged(site, "info", service).count("the certificate was renewed")


@pytest.mark.timeout(240)
def test_the_notebook_works_by_https(site: Site) -> None:
    done = site.start_sh("notebook", "--run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (
        "50 of 50 stored" in (site.configuration.home.path / "executed-producer_consumer.ipynb").read_text()
    )


def test_a_wrong_renewal_is_one_line_and_the_previous_certificate_stays(
    site: Site, made: Certificates
) -> None:
    before = made.der()
    renew(made, "tls", days=0)
    until(lambda: logged(site, "error", "certificates"), 15, "a line")
    time.sleep(2.5)
    (line,) = logged(site, "error", "certificates")
    assert "not used, the previous one stays: FIZZBUZZ_TLS_CERT=/host/page/tls.crt: it expired at " in line
    assert {made.shown(port(site, front)) for front in FRONTS} == {before}
    renew(made, "tls")
    until(lambda: shows(site, made), 15, "the renewed certificate is shown")


@pytest.mark.timeout(240)
@pytest.mark.parametrize("service", ["certificates", "proxy"])
def test_a_renewal_during_an_outage_is_used_after_it(site: Site, made: Certificates, service: str) -> None:
    (container,) = site.containers(service)
    restarts = container.restarts
    site.run_in(service, "sh", "-c", FREEZE)
    renew(made, "tls")
    until(lambda: site.containers(service)[0].restarts > restarts, 90, f"{service} is started again")
    until(lambda: shows(site, made), 30, "the renewed certificate is shown")


def test_wrong_files_are_one_line_and_what_runs_goes_on(
    site: Site, made: Certificates, tmp_path: Path
) -> None:
    stranger = Certificates(tmp_path / "stranger")
    crt, grpc = f"FIZZBUZZ_TLS_CERT={made.crt()}", f"FIZZBUZZ_GRPC_TLS_CERT={made.crt('grpc')}"
    other = str(made.key("grpc"))
    wrong = {
        f"FIZZBUZZ_TLS_KEY={other}: it is not the key of {crt}": {"FIZZBUZZ_TLS_KEY": other},
        f"{grpc}: not accepted at consumer: ": {"FIZZBUZZ_GRPC_TLS_CA": str(stranger.ca)},
        f"FIZZBUZZ_TLS_CA={tmp_path / 'absent'}: no such file": {"FIZZBUZZ_TLS_CA": str(tmp_path / "absent")},
        "INFLUXDB_CA (set in the environment) is not supported": {"INFLUXDB_CA": str(made.ca)},
    }
    for line, settings in wrong.items():
        done = site.start_sh("restart", **settings)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert done.stderr.startswith(f"start.sh: {line}")
    assert site.all_healthy()


def test_a_file_that_its_copier_may_not_read_is_one_line_before_anything_starts(
    site: Site, made: Certificates, tmp_path: Path
) -> None:
    if os.getuid():
        pytest.skip("only root can make a file of another user")
    crt = made.folder / "unreadable.crt"
    shutil.copy(made.crt(), crt)
    os.chown(crt, 0, 0)
    crt.chmod(0o600)
    other = Site(tmp_path / "other", **{**made.https(), "FIZZBUZZ_TLS_CERT": str(crt)})
    try:
        done = other.start_sh("up", "--mode", "docker")
        assert (done.returncode, done.stderr.count("\n")) == (1, 1)
        assert done.stderr.endswith(f"FIZZBUZZ_TLS_CERT={crt}: permission denied\n")
        assert other.containers() == []
    finally:
        other.start_sh("down", "--wipe")


def _stats(url: str, made: Certificates) -> dict[str, Any]:
    stats: dict[str, Any] = json.loads(behind_proxy.read(url, made.client()))
    return stats


@pytest.mark.timeout(400)
def test_compose_alone_mounts_a_folder(made: Certificates, tmp_path: Path) -> None:
    by_hand = ByHand(checkout.copy_to(tmp_path / checkout.ODD))
    folder = {f"START_SH_{name}_FOLDER": str(made.folder) for name in ("TLS", "GRPC_TLS")}
    by_hand.environ |= {**folder, "START_SH_TLS_USER": str(OWNER), "COMPOSE_PROFILES": "tls"}
    try:
        by_hand.compose("up", "--build", "--detach", "--wait")
        url = f"https://127.0.0.1:{by_hand.settings[FRONTS[0]]}/fizzbuzz/stats"
        until(lambda: _stats(url, made)["stored_total"], 30, "a message is stored and shown")
        assert by_hand.compose("exec", "-T", "gateway", "python", "-c", _IS_SERVED).split() == ["known"]
    finally:
        by_hand.compose("--profile", "*", "down", "--volumes", "--rmi", "local", "--timeout", "2")
