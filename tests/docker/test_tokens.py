"""A token that somebody deleted in InfluxDB's UI: one clear line, and ``restart`` is the remedy."""

from deploy.influxdb.api import Api
from tests.support.compose_site import Site, until


def _delete_token(site: Site, action: str) -> None:
    api = Api(f"http://127.0.0.1:{site.settings['FIZZBUZZ_INFLUX_PORT']}")
    api.sign_in("admin", site.password())
    for authorization in api.call("GET", "/api/v2/authorizations")["authorizations"]:
        if authorization["description"] == f"fizzbuzz {action}":
            api.call("DELETE", f"/api/v2/authorizations/{authorization['id']}")


def test_a_write_token_that_was_deleted_is_made_anew_and_handed_out_and_nothing_is_lost(site: Site) -> None:
    _delete_token(site, "write")
    until(lambda: site.stats()["queue_depth"] > 0, 15, "messages wait")
    assert "401 Unauthorized: its token is not valid" in site.start_sh("logs", "worker").stdout
    done = site.start_sh("restart")
    assert done.returncode == 0, done.stdout + done.stderr
    until(lambda: site.stats()["queue_depth"] == 0, 30, "all is stored")
    assert site.stats()["run"]["missing"] == 0


def test_a_read_token_that_was_deleted_is_made_anew_and_handed_out(site: Site) -> None:
    _delete_token(site, "read")
    until(lambda: bool(site.stats()["error"]), 15, "the page says so")
    done = site.start_sh("restart")
    assert done.returncode == 0, done.stdout + done.stderr
    until(lambda: site.stats()["error"] is None, 30, "the page is content again")
