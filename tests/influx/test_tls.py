"""InfluxDB by https: only a server that INFLUXDB_CA verifies gets token and messages."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from load import rows, target
from pipeline.settings import Influx
from pipeline.store import StoreUnavailable
from pipeline.store.influx import InfluxStore
from tests.support import influxdb
from tests.support.batches import batch
from tests.support.certificates import Certificates
from tests.support.influxdb import InfluxServer
from tests.support.ports import free_port

pytestmark = pytest.mark.influx


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def by_https(made: Certificates, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influx]:
    """A server with an empty bucket."""
    influxd = shutil.which("influxd")
    if influxd is None:
        pytest.skip("no influxd 2.x on PATH")
    port = free_port()
    options = f"--tls-cert={made.crt()}", f"--tls-key={made.key()}"
    process = influxdb.launch(influxd, tmp_path_factory.mktemp("influxdb"), port, *options)
    settings = Influx(f"https://127.0.0.1:{port}", "operator-token", "fizzbuzz", "messages", ca=made.ca)
    server = InfluxServer(settings, process)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("REQUESTS_CA_BUNDLE", str(made.ca))
            influxdb.set_up(server)
        yield settings
    finally:
        server.stop()


def test_messages_are_stored_and_read(by_https: Influx) -> None:
    store = InfluxStore(by_https)
    store.write([batch(range(10), run="by-https")])
    there = target.InfluxTarget(
        by_https.url, by_https.token, by_https.org, by_https.bucket, ca=str(by_https.ca)
    )
    found = rows.reader(target.Target("", "", "", there))("by-https")
    assert sorted(number for number, _ in found) == list(range(10))
    store.close()


@pytest.mark.parametrize("ca", ["none", "another"])
def test_a_server_that_is_not_verified_is_unavailable(by_https: Influx, tmp_path: Path, ca: str) -> None:
    store = InfluxStore(replace(by_https, ca=Certificates(tmp_path).ca if ca == "another" else None))
    with pytest.raises(StoreUnavailable, match=r"can't be reached: .*CERTIFICATE_VERIFY_FAILED"):
        store.write([batch(range(1))])
    store.close()
