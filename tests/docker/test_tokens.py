"""A token that somebody deleted in InfluxDB's UI: one clear line; the setup makes a new one."""

import pytest

from deploy.influxdb.api import Api
from launcher.compose import containers, engine
from tests.support.compose_site import Site
from tests.support.waiting import until


def _delete_token(site: Site, action: str) -> None:
    api = Api(f"http://127.0.0.1:{site.settings['FIZZBUZZ_INFLUX_PORT']}")
    api.sign_in("admin", site.password())
    for authorization in api.call("GET", "/api/v2/authorizations")["authorizations"]:
        if authorization["description"] == f"fizzbuzz {action}":
            api.call("DELETE", f"/api/v2/authorizations/{authorization['id']}")


def _set_up_again(site: Site) -> None:
    (setup,) = [one for one in containers.find(site.project.name) if one.service == "influxdb-setup"]
    engine.run("wait", setup.id)  # while it runs, the engine would not start it again
    engine.run("start", setup.id)


def _until_messages_wait(site: Site) -> None:
    """Where Redis was late, a reading knows none."""
    until(lambda: (site.stats()["queue_depth"] or 0) > 0, 15, "messages wait")


def _started(site: Site, service: str) -> str:
    return engine.run("inspect", "--format", "{{.State.StartedAt}}", site.containers(service)[0].id)


def test_a_write_token_that_was_deleted_is_renewed_without_a_restart_and_nothing_is_lost(site: Site) -> None:
    started = _started(site, "worker")
    _delete_token(site, "write")
    _until_messages_wait(site)
    refused = "401 Unauthorized: its token is not valid"
    until(lambda: refused in site.start_sh("logs", "worker").stdout, 15, "the worker says so")
    _set_up_again(site)
    until(lambda: site.stats()["queue_depth"] == 0, 30, "all is stored")
    until(lambda: site.stats()["run"]["missing"] == 0, 15, "nothing is missing, once a burst is whole")
    assert _started(site, "worker") == started


def test_a_read_token_that_was_deleted_is_renewed_without_a_restart(site: Site) -> None:
    started = _started(site, "web")
    _delete_token(site, "read")
    until(lambda: bool(site.stats()["error"]), 15, "the page says so")
    _set_up_again(site)
    until(lambda: site.stats()["error"] is None, 30, "the page is content again")
    assert _started(site, "web") == started


@pytest.mark.long
def test_restart_renews_a_token_too(site: Site) -> None:
    _delete_token(site, "write")
    _until_messages_wait(site)
    done = site.start_sh("restart")
    assert done.returncode == 0, done.stdout + done.stderr
    until(lambda: site.stats()["queue_depth"] == 0, 30, "all is stored")
