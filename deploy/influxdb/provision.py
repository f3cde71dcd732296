"""The setup, step by step; each step checks what exists and adds only what is missing."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from deploy.influxdb import dashboard, tokens
from deploy.influxdb.api import Api, ApiError

Report = Callable[[str], None]


class SetupError(Exception):
    """The setup can't be done; the text names the cause and the remedy."""


@dataclass(frozen=True, slots=True)
class DesiredState:
    """What the server should have."""

    username: str
    password: str = field(repr=False)
    org: str
    bucket: str
    tokens: Path
    """Directory of the token files, see ``deploy.influxdb.tokens``."""


def provision(api: Api, desired: DesiredState, report: Report) -> list[str]:
    """Bring the server to the ``desired`` state; ``report`` gets one line for each change.

    Returns the names (``write``, ``read``) of the new tokens: services read one when the old one fails.

    Raises:
        SetupError: it can't be done.
        ApiError, Unreachable: the server failed.
    """
    if api.call("GET", "/api/v2/setup")["allowed"]:
        _first_user(api, desired)
        report(
            f"InfluxDB: created user {desired.username}, organisation {desired.org}, bucket {desired.bucket}"
        )
    broken = [
        a for a in tokens.RIGHTS if not tokens.works(api, desired.tokens, a, desired.org, desired.bucket)
    ]
    if not _sign_in(api, desired, broken):
        report("InfluxDB: the password was changed in its UI; its tokens work, so nothing else is checked")
        return []
    org_id = _organisation(api, desired)
    bucket_id = _bucket(api, desired, org_id, report)
    for action in broken:
        tokens.make(api, desired.tokens, action, org_id, bucket_id)
        may = " and ".join(tokens.RIGHTS[action])
        report(f"InfluxDB: created a token that may {may} the bucket {desired.bucket}, and nothing else")
    if dashboard.apply(api, org_id, desired.bucket):
        report("InfluxDB: created or updated the dashboard in its UI")
    return broken


def _first_user(api: Api, desired: DesiredState) -> None:
    """Create user, organisation and bucket. The operator token in the response is not kept."""
    api.call(
        "POST",
        "/api/v2/setup",
        {
            "username": desired.username,
            "password": desired.password,
            "org": desired.org,
            "bucket": desired.bucket,
            "retentionPeriodSeconds": 0,
        },
    )


def _sign_in(api: Api, desired: DesiredState, broken: list[str]) -> bool:
    """False if the server refuses, which is harmless as long as no token is ``broken``."""
    try:
        api.sign_in(desired.username, desired.password)
    except ApiError as error:
        if error.status != 401:
            raise
        if broken:
            raise SetupError(
                f"the {' and the '.join(broken)} token is lost or refused, and InfluxDB refuses the password"
                f" of user {desired.username} that could make a new one: set INFLUXDB_PASSWORD in .env to the"
                " one that its UI accepts, and start again"
            ) from None
        return False
    return True


def _organisation(api: Api, desired: DesiredState) -> str:
    for organisation in api.call("GET", "/api/v2/orgs")["orgs"]:
        if organisation["name"] == desired.org:
            return str(organisation["id"])
    raise SetupError(
        f"InfluxDB has no organisation {desired.org}: set INFLUXDB_ORG to the one it was set up with"
    )


def _bucket(api: Api, desired: DesiredState, org_id: str, report: Report) -> str:
    try:
        found = api.call("GET", "/api/v2/buckets", orgID=org_id, name=desired.bucket)
        return str(found["buckets"][0]["id"])
    except ApiError as error:
        if error.status != 404:
            raise
    made = api.call(
        "POST", "/api/v2/buckets", {"orgID": org_id, "name": desired.bucket, "retentionRules": []}
    )
    report(f"InfluxDB: created the bucket {desired.bucket}")
    return str(made["id"])
