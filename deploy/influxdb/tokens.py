"""The two tokens with the least rights: one writes and reads the bucket, one only reads it.

The first is the worker's: ``./start.sh runs`` lists and deletes runs beside it.
The server keeps only hashes of them, so a token is known only from the response that created it and from the
file it is written to, each in a directory of its own: ``write/token`` and ``read/token``.
"""

import json
from pathlib import Path
from typing import Any

from deploy.influxdb.api import Api
from pipeline import private_file

RIGHTS = {"write": ("read", "write"), "read": ("read",)}
"""What a token may do, by the name of its directory."""


def path(directory: Path, action: str) -> Path:
    """The file of the token ``action``."""
    return directory / action / "token"


def works(api: Api, directory: Path, action: str, org: str, bucket: str) -> bool:
    """Whether the token in the file has all its rights now."""
    file = path(directory, action)
    token = file.read_text().strip() if file.exists() else ""
    return bool(token) and all(_allows(api, token, right, org, bucket) for right in RIGHTS[action])


def _allows(api: Api, token: str, right: str, org: str, bucket: str) -> bool:
    if right == "write":  # an empty write stores nothing, and is refused without the right
        return api.try_token(token, "POST", "/api/v2/write", org=org, bucket=bucket)
    flux = f"from(bucket: {json.dumps(bucket)}) |> range(start: -1s) |> limit(n: 1)"
    return api.try_token(token, "POST", "/api/v2/query", {"query": flux, "type": "flux"}, org=org)


def make(api: Api, directory: Path, action: str, org_id: str, bucket_id: str) -> None:
    """Create a new token ``action``, write it to its file, and revoke the lost one."""
    description = f"fizzbuzz {action}"
    lost = [a["id"] for a in _all(api, org_id) if a["description"] == description]
    resource = {"type": "buckets", "id": bucket_id, "orgID": org_id}
    answer = api.call(
        "POST",
        "/api/v2/authorizations",
        {
            "orgID": org_id,
            "description": description,
            "permissions": [{"action": right, "resource": resource} for right in RIGHTS[action]],
        },
    )
    file = path(directory, action)
    file.parent.mkdir(parents=True, exist_ok=True)
    private_file.write(file, answer["token"] + "\n", 0o400)
    for authorization_id in lost:
        api.call("DELETE", f"/api/v2/authorizations/{authorization_id}")


def _all(api: Api, org_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.call("GET", "/api/v2/authorizations", orgID=org_id)["authorizations"]
    return found
