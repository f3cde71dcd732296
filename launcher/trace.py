"""``./start.sh trace``: one message, each moment that it passed, and where it is now."""

import argparse
import json
import urllib.parse
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from launcher import readiness
from launcher.errors import FAILED, UserError
from pipeline.printable import printable
from pipeline.settings import Settings

TIMEOUT_S = 15.0
"""InfluxDB may have to search all messages of a run."""

_NOW = {
    "waiting": "waits in the queue",
    "held": "a worker holds it",
    "failed": "failed: it can't be stored as it is",
    "stored": "stored",
    "unknown": "unknown: it was never accepted, its run was deleted, or it was too long ago",
}


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """The arguments of the command. Exits with status 2 where they are wrong."""
    parser = argparse.ArgumentParser(
        prog="./start.sh trace",
        description="One message: each moment it passed, and where it is now.",
        allow_abbrev=False,
    )
    parser.add_argument("run", metavar="RUN")
    parser.add_argument("number", metavar="NUMBER", type=int)
    parser.add_argument("--json", action="store_true", help="as the web service answers it")
    return parser.parse_args(arguments)


def show(settings: Settings, wanted: argparse.Namespace) -> int:
    """Ask the web service of the running system, and print its answer; 1 where the message is unknown.

    Raises:
        UserError: the web service gives no such answer.
    """
    path = f"messages/{urllib.parse.quote(wanted.run, safe='')}/{wanted.number}"
    status, body = readiness.get(f"{readiness.page_url(settings)}{path}", TIMEOUT_S)
    if status not in (200, 404):
        raise UserError(_problem(status, body))
    found = _object(body)
    if "state" not in found:
        raise UserError("the web service does not know this address: is it of another version?")
    print(json.dumps(found) if wanted.json else "\n".join(lines(found)))
    return FAILED if found["state"] == "unknown" else 0


def lines(found: Mapping[str, Any]) -> list[str]:
    """The answer as text: a line for each moment, with the time since the one before, then where it is."""
    text = [f"run {found['run']}, number {found['number']}"]
    before: datetime | None = None
    for moment in found.get("moments", ()):
        at = datetime.fromisoformat(moment["at"])
        passed = "" if before is None else f"{(at - before).total_seconds() * 1000:+.3f} ms"
        text.append(f"  {moment['at']}  {passed:>16}  {moment['what']:<10} {moment['service']}")
        before = at
    now = _NOW.get(found["state"], str(found["state"]))
    details = [f"{name} {found[name]}" for name in ("job", "worker") if found.get(name)]
    text.append(f"now: {now} ({', '.join(details)})" if details else f"now: {now}")
    if found.get("reason"):
        text.append(f"{'reason' if found.get('job') else 'note'}: {found['reason']}")
    return [printable(line) for line in text]


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {}


def _problem(status: int, body: bytes) -> str:
    if status == 0:
        return "the web service does not answer: see ./start.sh status"
    detail = _object(body).get("detail")
    return f"the web service answered {status}" + (f": {detail}" if detail else "")
