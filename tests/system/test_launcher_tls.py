"""A whole system with TLS: it starts, is watched and measured as without, and refuses wrong certificates."""

import json
import subprocess
import threading
import time
from pathlib import Path

import pytest
import requests

from tests.support import tls_redis
from tests.support.certificates import Certificates
from tests.support.launched import Launched
from tests.support.waiting import Stopwatch, until
from tests.system.conftest import NewSystem

pytestmark = pytest.mark.system

REFUSED_S = 5.0
LOAD_S = 12


@pytest.fixture
def made(tmp_path: Path) -> Certificates:
    made = Certificates(tmp_path / "certificates")
    made.make("grpc")
    return made


def renew(made: Certificates, times: int) -> None:
    for _ in range(times):
        time.sleep(2.5)
        made.make()
        made.make("grpc")


def unaccounted(page: str, made: Certificates) -> int | None:
    answer = requests.get(f"{page}stats", verify=str(made.ca), timeout=30)
    count: int | None = answer.json()["ledger"]["unaccounted"]
    return count


@pytest.mark.long
def test_up_status_load_and_renewals_under_load(new_system: NewSystem, made: Certificates) -> None:
    system = new_system(**made.https(), **made.grpc("grpc"))
    done = system.up()
    page = f"https://127.0.0.1:{system.web_port}/fizzbuzz/"
    assert page in done.stdout
    assert f"https://127.0.0.1:{system.gateway_port}/messages" in done.stdout
    system.until_healthy()
    system.status_once(lambda done: "accepted " in done.stdout, what="the page is asked by https")
    renewing = threading.Thread(target=renew, args=(made, 3))
    renewing.start()
    report = system.home / "load.json"
    words = ("load", "--rate", "50", "--for", str(LOAD_S), "--no-retry", "--json", str(report))
    done = system.start_sh(*words)
    renewing.join()
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(report.read_text())
    assert found["verdict"] == "VALID"
    # The load asks the page once a second. On a busy machine one answer may be late, but not those of all the
    # time after a renewal.
    unreachable = [one for one in found["faults"] if one["code"] == "page_unreachable"]
    assert sum(one["until_s"] - one["from_s"] for one in unreachable) < LOAD_S / 2, unreachable
    until(lambda: unaccounted(page, made) == 0, what="no message is unaccounted for")
    logged = system.start_sh("logs").stdout
    assert logged.count("the certificate was renewed") >= 8  # gateway twice, consumer, web, each time
    assert "is not used" not in logged
    assert "Traceback" not in logged


@pytest.mark.long
def test_an_outside_redis_by_rediss_is_used(
    new_system: NewSystem, made: Certificates, tmp_path: Path
) -> None:
    tls_redis.executable()
    with tls_redis.server(tmp_path, made) as redis:
        url = f"rediss://127.0.0.1:{redis.port}/0?ssl_ca_certs={made.ca}"
        system = new_system(REDIS_URL=url)
        done = system.up()
        assert f"--url 'rediss://127.0.0.1:{redis.port}/0?ssl_ca_certs={made.ca}'" in done.stdout
        system.until_healthy()
        other = new_system("other", REDIS_URL=url.partition("?")[0])
        line = refusal(other)
        assert line.startswith("start.sh: REDIS_URL: no Redis can be used there: ")
        assert "CERTIFICATE_VERIFY_FAILED" in line


def refusal(system: Launched) -> str:
    watch = Stopwatch()
    done = system.start_sh("up", "--mode", "local")
    assert watch.seconds < REFUSED_S
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stderr.count("\n") == 1
    assert system.processes() == {}
    return done.stderr


def test_wrong_certificates_are_one_line_before_anything_starts(
    new_system: NewSystem, made: Certificates, tmp_path: Path
) -> None:
    stranger = Certificates(tmp_path / "stranger")
    made.make("expired", days=0)
    good = {**made.https(), **made.grpc("grpc")}
    crt, grpc = (f"FIZZBUZZ_TLS_CERT={made.crt()}", f"FIZZBUZZ_GRPC_TLS_CERT={made.crt('grpc')}")
    wrong = {
        f"FIZZBUZZ_TLS_CERT={made.crt('expired')}: it expired at ": made.https("expired"),
        f"FIZZBUZZ_TLS_KEY={made.key('grpc')}: it is not the key of {crt}": {
            "FIZZBUZZ_TLS_KEY": str(made.key("grpc"))
        },
        f"FIZZBUZZ_TLS_CERT={tmp_path / 'absent'}: no such file": {
            "FIZZBUZZ_TLS_CERT": str(tmp_path / "absent")
        },
        f"{crt}: not accepted at 127.0.0.1: ": {"FIZZBUZZ_TLS_CA": ""},
        f"{crt}: not accepted at 127.0.0.2: ": {"FIZZBUZZ_BIND": "127.0.0.2"},
        f"{grpc}: not accepted at 127.0.0.1: ": {"FIZZBUZZ_GRPC_TLS_CA": str(stranger.ca)},
        "FIZZBUZZ_TLS_CERT needs FIZZBUZZ_TLS_KEY too": {"FIZZBUZZ_TLS_KEY": ""},
        f"INFLUXDB_CA={tmp_path / 'absent'}: no such file": {"INFLUXDB_CA": str(tmp_path / "absent")},
    }
    for line, changed in wrong.items():
        assert refusal(new_system(**{**good, **changed})).startswith(f"start.sh: {line}")


def test_an_influxdb_that_is_not_verified_is_one_line(new_system: NewSystem, made: Certificates) -> None:
    with subprocess.Popen(
        ["openssl", "s_server", "-accept", "0", "-cert", str(made.crt()), "-key", str(made.key()), "-www"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.PIPE,
        text=True,
    ) as server:
        try:
            assert server.stdout
            port = (
                next(line for line in server.stdout if line.startswith("ACCEPT")).rpartition(":")[2].strip()
            )
            url = f"https://127.0.0.1:{port}"
            system = new_system(FIZZBUZZ_STORE="influxdb", INFLUXDB_URL=url, INFLUXDB_TOKEN="a-token")
            line = refusal(system)
        finally:
            server.kill()
    assert line.startswith(
        "start.sh: INFLUXDB_URL (set in the environment): its certificate is not accepted: "
    )
    assert line.endswith("; INFLUXDB_CA names its CA\n")
