"""The set-up of InfluxDB: least rights, harmless when repeated, and a remedy for what was lost."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.influxdb import dashboard, tokens
from deploy.influxdb.api import Api, ApiError, Unreachable
from deploy.influxdb.provision import SetupError
from pipeline.store import StoreUnavailable
from pipeline.store.influx import InfluxStore
from tests.influx.conftest import Site
from tests.support.batches import NOON_NS, batch

pytestmark = pytest.mark.influx

_WRITE = ("POST", "/api/v2/write")
_QUERY = ("POST", "/api/v2/query")
_FLUX = {"query": 'from(bucket: "messages") |> range(start: -1h)', "type": "flux"}


def _may_write(site: Site, token: str) -> bool:
    return Api(site.url).try_token(token, *_WRITE, org="fizzbuzz", bucket="messages")


def _may_read(site: Site, token: str) -> bool:
    return Api(site.url).try_token(token, *_QUERY, _FLUX, org="fizzbuzz")


def test_the_write_token_writes_and_reads_the_bucket(site: Site) -> None:
    token = site.token("write")
    assert _may_write(site, token)
    assert _may_read(site, token)


def test_a_token_without_all_of_its_rights_is_recreated(site: Site) -> None:
    """Such as that of an earlier version, whose write token could not read."""
    narrow = site.token("read")
    tokens.path(site.wanted.tokens, "write").unlink()
    tokens.path(site.wanted.tokens, "write").write_text(narrow)
    assert site.provision() == ["write"]
    assert site.token("write") != narrow
    assert _may_write(site, site.token("write"))


def test_the_read_token_reads_and_nothing_else(site: Site) -> None:
    token = site.token("read")
    assert _may_read(site, token)
    assert not _may_write(site, token)


@pytest.mark.parametrize("action", tokens.RIGHTS)
def test_no_token_may_make_another(site: Site, action: str) -> None:
    permissions = [{"action": "write", "resource": {"type": "buckets"}}]
    body = {"orgID": site.org_id(), "permissions": permissions}
    assert not Api(site.url).try_token(site.token(action), "POST", "/api/v2/authorizations", body)


def test_token_files_are_for_their_owner_alone(site: Site) -> None:
    for action in tokens.RIGHTS:
        assert tokens.path(site.wanted.tokens, action).stat().st_mode & 0o077 == 0


def test_a_second_run_changes_nothing(site: Site) -> None:
    before = [site.token(action) for action in tokens.RIGHTS]
    site.said.clear()
    assert site.provision() == []
    assert site.said == []
    assert [site.token(action) for action in tokens.RIGHTS] == before
    assert len(_dashboards(site)) == 1


def test_a_lost_token_is_recreated_and_the_lost_one_is_revoked(site: Site) -> None:
    lost = site.token("write")
    tokens.path(site.wanted.tokens, "write").unlink()
    assert site.provision() == ["write"]
    assert _may_write(site, site.token("write"))
    assert not _may_write(site, lost)


def test_a_token_that_was_deleted_in_the_ui_is_recreated(site: Site) -> None:
    _delete_token(site, "read")
    assert not _may_read(site, site.token("read"))
    assert site.provision() == ["read"]
    assert _may_read(site, site.token("read"))


def test_a_renewed_token_works_without_a_restart(site: Site) -> None:
    writer, reader = InfluxStore(site.influx("write")), InfluxStore(site.influx("read"))
    writer.write([batch([1])])
    assert reader.changes(None)
    for action in tokens.RIGHTS:
        _delete_token(site, action)
    with pytest.raises(StoreUnavailable, match="401 Unauthorized: its token is not valid"):
        writer.write([batch([2])])
    with pytest.raises(StoreUnavailable, match="401 Unauthorized: its token is not valid"):
        reader.changes(None)
    assert site.provision() == ["write", "read"]
    writer.write([batch([2], at_ns=NOON_NS + 1)])
    assert [figures.stored for figures in reader.changes(None)[0]] == [2]


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe", b"another that is refused"])
def test_a_token_file_without_a_valid_token_leaves_the_server_s_refusal(
    site: Site, tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
    store = InfluxStore(replace(site.influx("write"), token="refused", token_file=file))
    with pytest.raises(StoreUnavailable, match="401 Unauthorized: its token is not valid"):
        store.write([batch([1])])


def test_a_password_changed_in_the_ui_is_no_harm_while_the_tokens_work(site: Site) -> None:
    assert site.provision(password="not-the-password") == []


def test_a_lost_token_and_a_changed_password_give_one_line_with_the_remedy(site: Site) -> None:
    tokens.path(site.wanted.tokens, "read").write_text("lost")
    with pytest.raises(SetupError, match=r"the read token .* set INFLUXDB_PASSWORD") as raised:
        site.provision(password="not-the-password")
    assert "\n" not in str(raised.value)
    site.provision()


def test_a_bucket_that_is_missing_is_made(site: Site) -> None:
    assert site.provision(bucket="others") == ["write", "read"]
    assert "InfluxDB: created the bucket others" in site.said
    site.provision()


def test_an_organisation_that_is_missing_is_named(site: Site) -> None:
    with pytest.raises(SetupError, match="no organisation elsewhere: set INFLUXDB_ORG"):
        site.provision(org="elsewhere")


def test_a_name_that_a_person_gave_the_dashboard_stays(site: Site) -> None:
    (found,) = _dashboards(site)
    site.admin().call("PATCH", f"/api/v2/dashboards/{found['id']}", {"name": "Mine"})
    site.provision()
    assert [one["name"] for one in _dashboards(site)] == ["Mine"]


def test_a_changed_template_updates_the_same_dashboard(site: Site) -> None:
    (found,) = _dashboards(site)
    assert dashboard.apply(site.admin(), site.org_id(), "another-bucket")
    assert [one["id"] for one in _dashboards(site)] == [found["id"]]
    site.provision()


def test_a_dashboard_that_was_deleted_comes_back(site: Site) -> None:
    (found,) = _dashboards(site)
    site.admin().call("DELETE", f"/api/v2/dashboards/{found['id']}")
    site.provision()
    assert len(_dashboards(site)) == 1


def test_a_set_up_that_was_cut_short_is_finished(blank_server: Callable[[], Site]) -> None:
    site = blank_server()
    body = {"username": "admin", "password": site.wanted.password, "org": "fizzbuzz", "bucket": "messages"}
    Api(site.url).call("POST", "/api/v2/setup", body)
    assert site.provision() == ["write", "read"]
    assert len(_dashboards(site)) == 1


def test_a_server_that_never_answers_is_named_after_the_time_it_is_given() -> None:
    moments = iter(range(100))
    with pytest.raises(Unreachable, match=r"InfluxDB at http://127.0.0.1:1 is not ready"):
        Api("http://127.0.0.1:1").wait_until_ready(3, sleep=lambda _: None, now_s=lambda: next(moments))


def test_a_refusal_says_what_the_server_said(site: Site) -> None:
    with pytest.raises(ApiError, match="404: dashboard not found"):
        site.admin().call("GET", "/api/v2/dashboards/0123456789abcdef")


def _delete_token(site: Site, action: str) -> None:
    admin = site.admin()
    for authorization in admin.call("GET", "/api/v2/authorizations")["authorizations"]:
        if authorization["description"] == f"fizzbuzz {action}":
            admin.call("DELETE", f"/api/v2/authorizations/{authorization['id']}")


def _dashboards(site: Site) -> list[dict[str, str]]:
    found: list[dict[str, str]] = site.admin().call("GET", "/api/v2/dashboards")["dashboards"]
    return found
