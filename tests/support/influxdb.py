"""A real InfluxDB 2 server for tests: that of INFLUXDB_URL, or the ``influxd`` on PATH."""

import os
import secrets
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from launcher.local.influx_server import WRITE_CACHE
from pipeline.settings import Influx
from tests.support.child_process import ChildProcess
from tests.support.ports import free_port

START_S = 180


class InfluxServer:
    """A server, and the token of an operator who may do anything on it."""

    def __init__(self, settings: Influx, process: ChildProcess | None = None) -> None:
        self.settings = settings
        self._process = process

    def new_bucket(self, *, retention_s: int = 0) -> Influx:
        """An empty bucket, and how to use it; ``retention_s`` 0 keeps points for ever."""
        rules = [{"type": "expire", "everySeconds": retention_s}] if retention_s else []
        body = {"orgID": self._org_id(), "name": f"test-{secrets.token_hex(4)}", "retentionRules": rules}
        bucket = self.call("POST", "buckets", json=body).json()
        return replace(self.settings, bucket=bucket["name"])

    def keep_for(self, settings: Influx, retention_s: int) -> None:
        """From now on the bucket of ``settings`` refuses points that are older."""
        (bucket,) = self.call("GET", "buckets", params={"name": settings.bucket}).json()["buckets"]
        rules = [{"type": "expire", "everySeconds": retention_s, "shardGroupDurationSeconds": 3_600}]
        self.call("PATCH", f"buckets/{bucket['id']}", json={"retentionRules": rules})

    def call(self, method: str, path: str, **arguments: object) -> requests.Response:
        """A request of the server's own API, as the operator."""
        headers = {"Authorization": f"Token {self.settings.token}"}
        url = f"{self.settings.url}/api/v2/{path}"
        response = requests.request(method, url, headers=headers, timeout=30, **arguments)  # type: ignore[arg-type]
        response.raise_for_status()
        return response

    def freeze(self) -> None:
        """Hold the server up (SIGSTOP), until ``thaw``; skips where it is not a process of this machine."""
        if self._process is None:
            pytest.skip("the server of INFLUXDB_URL can't be frozen from here")
        self._process.freeze()

    def thaw(self) -> None:
        assert self._process
        self._process.thaw()

    def stop(self) -> None:
        if self._process:
            self._process.end()

    def _org_id(self) -> str:
        orgs = self.call("GET", "orgs", params={"org": self.settings.org}).json()["orgs"]
        return str(orgs[0]["id"])


def start(directory: Path, port: int = 0) -> InfluxServer:
    """The server of INFLUXDB_URL where that is set, else a new one; skips where there is none."""
    url = os.environ.get("INFLUXDB_URL", "")
    if url:
        org, token = os.environ.get("INFLUXDB_ORG", "fizzbuzz"), os.environ["INFLUXDB_TOKEN"]
        return InfluxServer(Influx(url, token, org, "messages"))
    influxd = shutil.which("influxd")
    if influxd is None:
        pytest.skip("no influxd 2.x on PATH and no INFLUXDB_URL")
    port = port or free_port()
    process = launch(influxd, directory, port)
    server = InfluxServer(
        Influx(f"http://127.0.0.1:{port}", "operator-token", "fizzbuzz", "messages"), process
    )
    try:
        set_up(server)
    except BaseException:
        server.stop()
        raise
    return server


def launch(influxd: str, directory: Path, port: int, *further: str) -> ChildProcess:
    """A server of its own in ``directory``, which nobody has set up; it may not answer yet.

    ``further``: options beside the usual ones.
    """
    directory.mkdir(parents=True, exist_ok=True)
    options = {
        "--http-bind-address": f"127.0.0.1:{port}",
        "--bolt-path": str(directory / "influxd.bolt"),
        "--sqlite-path": str(directory / "influxd.sqlite"),
        "--engine-path": str(directory / "engine"),
        "--log-level": "error",
    }
    command = [
        influxd,
        "--reporting-disabled",
        WRITE_CACHE,
        *(word for option in options.items() for word in option),
        *further,
    ]
    process = ChildProcess(command, directory / "influxd.log")
    process.start()
    return process


def set_up(server: InfluxServer) -> None:
    """Wait until it answers, and make its first user where it has none."""
    until = time.monotonic() + START_S
    while True:
        try:
            allowed = requests.get(f"{server.settings.url}/api/v2/setup", timeout=5).json()["allowed"]
            break
        except requests.RequestException:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
    if allowed:
        body = {
            "username": "admin",
            "password": "operator-password",
            "org": server.settings.org,
            "bucket": server.settings.bucket,
            "token": server.settings.token,
        }
        requests.post(f"{server.settings.url}/api/v2/setup", json=body, timeout=30).raise_for_status()
