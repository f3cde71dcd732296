"""Redis and InfluxDB on this machine, for services in a cluster: by TLS, with a user of Redis each."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.queue import users
from pipeline.settings import Influx
from tests.support import influxdb, tls_redis
from tests.support.certificates import Certificates
from tests.support.influxdb import InfluxServer
from tests.support.tls_redis import TlsRedis
from tests.support.waiting import until

HOST = "10.200.0.1"
"""This machine, as the nodes see it."""
REDIS_PORT, INFLUX_PORT = 6379, 8086
"""Those that the overlay's NetworkPolicies allow."""
CA = "/secrets/ca"
"""Where a pod has the CAs."""


@contextmanager
def redis(folder: Path, made: Certificates) -> Iterator[Path]:
    """A server; the folder with the file ``url`` of each service."""
    folder.mkdir()
    users.keep(folder, f"rediss://{HOST}:{REDIS_PORT}/0?ssl_ca_certs={CA}/redis.crt")
    server = TlsRedis(folder / "data", made)
    options = {"appendonly": "yes", "appendfsync": "always", "save": "", "maxmemory_policy": "noeviction"}
    acl = {"aclfile": str(folder / users.SERVER)}
    server.start(bind=HOST, tls_port=str(REDIS_PORT), **acl, **options)
    try:
        url = users.url_file(folder, "consumer").read_text().replace(f"{CA}/redis.crt", str(made.ca))
        until(lambda: tls_redis.answers(url), what="Redis does not answer")
        yield folder
    finally:
        server.kill()


@contextmanager
def influx(folder: Path, made: Certificates) -> Iterator[tuple[str, str, str]]:
    """A server; its address, and the tokens that may write and read."""
    influxd = shutil.which("influxd")
    if influxd is None:
        pytest.skip("no influxd 2.x on PATH")
    url = f"https://{HOST}:{INFLUX_PORT}"
    options = (
        f"--http-bind-address={HOST}:{INFLUX_PORT}",
        f"--tls-cert={made.crt()}",
        f"--tls-key={made.key()}",
    )
    process = influxdb.launch(influxd, folder, INFLUX_PORT, *options)
    server = InfluxServer(Influx(url, "operator-token", "fizzbuzz", "messages"), process)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("REQUESTS_CA_BUNDLE", str(made.ca))
            influxdb.set_up(server)
            yield url, _token(server, "read", "write"), _token(server, "read")
    finally:
        server.stop()


def _token(server: InfluxServer, *rights: str) -> str:
    """One that may do this to the bucket, and nothing else."""
    (bucket,) = server.call("GET", "buckets", params={"name": server.settings.bucket}).json()["buckets"]
    resource = {"type": "buckets", "id": bucket["id"], "orgID": bucket["orgID"]}
    permissions = [{"action": right, "resource": resource} for right in rights]
    body = {"orgID": bucket["orgID"], "permissions": permissions}
    return str(server.call("POST", "authorizations", json=body).json()["token"])
