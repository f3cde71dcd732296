"""The set-up, step by step; each step finds out what is there and adds only what is missing."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from deploy.influxdb import dashboard, tokens
from deploy.influxdb.api import Api, ApiError

Say = Callable[[str], None]


class SetupError(Exception):
    """The set-up can't be done; the text names the cause and the fix."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the server is to have."""

    username: str
    password: str = field(repr=False)
    org: str
    bucket: str
    tokens: Path
    """Directory of the token files, see ``deploy.influxdb.tokens``."""


def provision(api: Api, wanted: Wanted, say: Say) -> list[str]:
    """Give the server what is ``wanted``; ``say`` gets one line for each change.

    Returns the actions (``write``, ``read``) whose token is new: whoever uses it must start anew.

    Raises:
        SetupError: it can't be done.
        ApiError, Unreachable: the server's own trouble.
    """
    if api.call("GET", "/api/v2/setup")["allowed"]:
        _first_user(api, wanted)
        say(f"InfluxDB: made user {wanted.username}, organisation {wanted.org}, bucket {wanted.bucket}")
    broken = [a for a in tokens.ACTIONS if not tokens.works(api, wanted.tokens, a, wanted.org, wanted.bucket)]
    if not _sign_in(api, wanted, broken):
        say("InfluxDB: the password was changed in its UI; its tokens work, so nothing else is checked")
        return []
    org_id = _organisation(api, wanted)
    bucket_id = _bucket(api, wanted, org_id, say)
    for action in broken:
        tokens.make(api, wanted.tokens, action, org_id, bucket_id)
        say(f"InfluxDB: made a token that may {action} the bucket {wanted.bucket}, and nothing else")
    if dashboard.apply(api, org_id, wanted.bucket):
        say("InfluxDB: put the dashboard into its UI")
    return broken


def _first_user(api: Api, wanted: Wanted) -> None:
    """Makes user, organisation and bucket. The all-powerful token in the answer is kept nowhere."""
    api.call(
        "POST",
        "/api/v2/setup",
        {
            "username": wanted.username,
            "password": wanted.password,
            "org": wanted.org,
            "bucket": wanted.bucket,
            "retentionPeriodSeconds": 0,
        },
    )


def _sign_in(api: Api, wanted: Wanted, broken: list[str]) -> bool:
    """False where the server refuses, which is no harm as long as no token is ``broken``."""
    try:
        api.sign_in(wanted.username, wanted.password)
    except ApiError as error:
        if error.status != 401:
            raise
        if broken:
            raise SetupError(
                f"the {' and the '.join(broken)} token is lost or refused, and InfluxDB refuses the password"
                f" of user {wanted.username} that could make a new one: set INFLUXDB_PASSWORD in .env to the"
                " one that its UI takes, and start again"
            ) from None
        return False
    return True


def _organisation(api: Api, wanted: Wanted) -> str:
    for organisation in api.call("GET", "/api/v2/orgs")["orgs"]:
        if organisation["name"] == wanted.org:
            return str(organisation["id"])
    raise SetupError(
        f"InfluxDB has no organisation {wanted.org}: set INFLUXDB_ORG to the one it was set up with"
    )


def _bucket(api: Api, wanted: Wanted, org_id: str, say: Say) -> str:
    try:
        found = api.call("GET", "/api/v2/buckets", orgID=org_id, name=wanted.bucket)
        return str(found["buckets"][0]["id"])
    except ApiError as error:
        if error.status != 404:
            raise
    made = api.call("POST", "/api/v2/buckets", {"orgID": org_id, "name": wanted.bucket, "retentionRules": []})
    say(f"InfluxDB: made the bucket {wanted.bucket}")
    return str(made["id"])
