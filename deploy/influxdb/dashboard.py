"""Puts the dashboard of ``dashboard.json`` into the server's UI, once.

The server keeps what it created from a template as a stack. A stack of our name means the dashboard is
there; its description is the template's fingerprint, so a changed template updates the same dashboard,
and changes made in the UI are kept until then.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from deploy.influxdb.api import Api, ApiError

TEMPLATE = Path(__file__).with_name("dashboard.json")
STACK = "fizzbuzz"
_TEMPLATE_BUCKET = json.dumps('from(bucket: "messages")')[1:-1]


def template(bucket: str) -> list[dict[str, Any]]:
    """The template's objects, with queries that ask ``bucket``."""
    ours = json.dumps(f"from(bucket: {json.dumps(bucket)})")[1:-1]
    objects: list[dict[str, Any]] = json.loads(TEMPLATE.read_text().replace(_TEMPLATE_BUCKET, ours))
    return objects


def apply(api: Api, org_id: str, bucket: str) -> bool:
    """Create or update the dashboard; False if there was nothing to do."""
    contents = template(bucket)
    fingerprint = hashlib.sha256(json.dumps(contents).encode()).hexdigest()[:16]
    stack = _stack(api, org_id)
    if stack["description"] == fingerprint and _dashboard_exists(api, stack):
        return False
    body = {"orgID": org_id, "stackID": stack["id"], "template": {"contents": contents}}
    api.call("POST", "/api/v2/templates/apply", body)
    api.call("PATCH", f"/api/v2/stacks/{stack['id']}", {"name": STACK, "description": fingerprint})
    return True


def _stack(api: Api, org_id: str) -> dict[str, Any]:
    """Our stack, created if missing. Its outer fields are the newest."""
    found = api.call("GET", "/api/v2/stacks", orgID=org_id, name=STACK)["stacks"]
    stack: dict[str, Any] = (
        found[0] if found else api.call("POST", "/api/v2/stacks", {"orgID": org_id, "name": STACK})
    )
    return stack


def _dashboard_exists(api: Api, stack: dict[str, Any]) -> bool:
    ids = [resource["resourceID"] for resource in stack["resources"] or () if resource["kind"] == "Dashboard"]
    try:
        return bool(ids) and bool(api.call("GET", f"/api/v2/dashboards/{ids[0]}"))
    except ApiError as error:
        if error.status == 404:
            return False
        raise
