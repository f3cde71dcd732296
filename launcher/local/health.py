"""Asks each part whether it can do its work."""

import http.client
import json
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from launcher.local import hold
from launcher.local.part import SUPERVISOR
from launcher.local.plan import Part, Plan
from launcher.local.resp import Redis
from launcher.status import HEALTHY, STARTING, STOPPED, UNHEALTHY, PartStatus
from pipeline.settings import loopback_for

TIMEOUT_S = 2.0
GRACE_S = 15.0
"""A part that can't do its work this long after its start is unhealthy."""
LOOP_STARTS = 3
"""So many starts within ``LOOP_S`` mean that a part doesn't stay up."""
LOOP_S = 15.0

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""A proxy has nothing to do with addresses of this machine."""


def is_supervised(run: Path) -> bool:
    """Whether Supervisor runs, or the guard that is about to start it again."""
    return any(hold.is_held(hold.path_of(run, name)) for name in (SUPERVISOR, "guard"))


def look(plan: Plan, run: Path) -> list[PartStatus]:
    """How every part is now; takes ``TIMEOUT_S`` at most."""
    if not is_supervised(run):
        return [PartStatus(part.name, STOPPED) for part in plan.parts]
    with ThreadPoolExecutor(len(plan.parts)) as pool:
        ready = list(pool.map(lambda part: is_ready(part, run), plan.parts))
    now_s = time.time()
    return [_status(part.name, run, now_s, ready=one) for part, one in zip(plan.parts, ready, strict=True)]


def is_ready(part: Part, run: Path) -> bool:
    """Whether the part says that it can do its work."""
    if _is_redis(part):
        return _pongs(part.ready)
    url = _url(part, run)
    return bool(url) and get(url)[0] == 200


def complaint(part: Part, run: Path) -> str:
    """What a part that runs, but can't do its work, says about it; empty where it says nothing."""
    url = "" if _is_redis(part) else _url(part, run)
    try:
        return str(json.loads(get(url)[1])["detail"]) if url else ""
    except (ValueError, TypeError, KeyError):
        return ""


def get(url: str) -> tuple[int, bytes]:
    """Status and body of the answer to a GET; status 0 where there is none."""
    try:
        with _direct.open(url, timeout=TIMEOUT_S) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()
    except (OSError, ValueError, http.client.HTTPException):
        return 0, b""


def _is_redis(part: Part) -> bool:
    return bool(part.ready) and not part.ready.startswith("http")


def _pongs(url: str) -> bool:
    try:
        with Redis(url) as redis:
            return redis.ask("PING") == "PONG"
    except OSError:
        return False


def _url(part: Part, run: Path) -> str:
    """Where the part tells of itself; empty as long as that isn't known."""
    if part.ready:
        return part.ready
    try:
        host, _, port = (run / f"{part.name}.address").read_text().strip().rpartition(":")
    except (FileNotFoundError, ValueError):
        return ""
    return f"http://{loopback_for(host)}:{port}/readyz" if port else ""


def keeps_dying(record: hold.Record, now_s: float) -> bool:
    """Whether the part was started again and again in the last seconds."""
    return sum(now_s - LOOP_S < started for started in record.recent) >= LOOP_STARTS


def _status(name: str, run: Path, now_s: float, *, ready: bool) -> PartStatus:
    record = hold.read(hold.path_of(run, name))
    since_s = record.recent[-1] if record.recent else None
    return PartStatus(name, state(record, now_s, ready=ready), since_s, max(record.starts - 1, 0))


def state(record: hold.Record, now_s: float, *, ready: bool) -> str:
    """In which state a supervised part is, by its last starts and by what it says itself."""
    if ready:
        return HEALTHY
    late = bool(record.recent) and now_s - record.recent[-1] > GRACE_S
    return UNHEALTHY if late or keeps_dying(record, now_s) else STARTING
