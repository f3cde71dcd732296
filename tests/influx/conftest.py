"""A server that nobody has set up yet, and the set-up as the system calls it."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from deploy.influxdb import tokens
from deploy.influxdb.api import Api
from deploy.influxdb.provision import DesiredState, provision
from pipeline.settings import Influx
from tests.support import influxdb
from tests.support.child_process import ChildProcess
from tests.support.ports import free_port

READY_S = 180


@dataclass
class Site:
    """One server, what it is to have, and what the set-up said."""

    url: str
    wanted: DesiredState
    said: list[str] = field(default_factory=list)

    def provision(self, **changed: Any) -> list[str]:
        """Run the set-up; the tokens it made."""
        return provision(Api(self.url), replace(self.wanted, **changed), self.said.append)

    def token(self, action: str) -> str:
        return tokens.path(self.wanted.tokens, action).read_text().strip()

    def influx(self, action: str) -> Influx:
        file = tokens.path(self.wanted.tokens, action)
        return Influx(self.url, self.token(action), self.wanted.org, self.wanted.bucket, file)

    def admin(self) -> Api:
        api = Api(self.url)
        api.sign_in(self.wanted.username, self.wanted.password)
        return api

    def org_id(self) -> str:
        return str(self.admin().call("GET", "/api/v2/orgs")["orgs"][0]["id"])


@pytest.fixture(scope="session")
def blank_server(
    patient_influx: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], Site]]:
    """Makes servers that were never set up."""
    influxd = shutil.which("influxd")
    if influxd is None:
        pytest.skip("no influxd 2.x on PATH")
    running: list[ChildProcess] = []

    def make() -> Site:
        directory = tmp_path_factory.mktemp("influxdb")
        port = free_port()
        running.append(influxdb.launch(influxd, directory, port))
        url = f"http://127.0.0.1:{port}"
        Api(url).wait_until_ready(READY_S)
        return Site(
            url, DesiredState("admin", "a-long-password", "fizzbuzz", "messages", directory / "tokens")
        )

    yield make
    for process in running:
        process.end()


@pytest.fixture(scope="module")
def site(blank_server: Callable[[], Site]) -> Site:
    """A server that was set up once."""
    site = blank_server()
    site.provision()
    return site
