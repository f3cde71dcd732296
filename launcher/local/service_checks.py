"""Asks each process of a system whether it can do its work."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from redis import ConnectionError as NoConnection
from redis import RedisError
from redis import TimeoutError as NoAnswer

from launcher import log_files, readiness
from launcher.layout import Layout
from launcher.local import liveness, process_lock, redis_queue
from launcher.local.plan import Plan, ProcessPlan
from launcher.local.process_lock import Record
from launcher.status import HEALTHY, STARTING, STOPPED, UNHEALTHY, ServiceStatus

GRACE_S = 15.0
"""A service that can't do its work this long after its start is unhealthy."""
LOOP_STARTS = 3
"""So many starts within ``LOOP_S`` mean that a service doesn't stay up."""
LOOP_S = 15.0
SILENT = "does not answer"
REFUSED = "accepts no connection"


def check(home: Layout, plan: Plan) -> list[ServiceStatus]:
    """How every service is now; takes two timeouts at most."""
    if not process_lock.is_supervised(home.run):
        return [ServiceStatus(one.name, STOPPED) for one in plan.processes]
    with ThreadPoolExecutor(len(plan.processes)) as pool:
        faults = list(pool.map(lambda one: fault(one, home.run), plan.processes))
    now_s = time.time()
    return [_status(one, home, now_s, fault) for one, fault in zip(plan.processes, faults, strict=True)]


def fault(one: ProcessPlan, run: Path) -> str:
    """Why the service can't do its work; empty where it can."""
    if liveness.is_redis(one):
        return _redis_fault(one.ready)
    url = one.ready or liveness.written_address(one.name, run)
    return _detail(*readiness.get(url)) if url else "still starting"


def is_crash_looping(record: Record, now_s: float) -> bool:
    """Whether the service was restarted again and again in the last seconds."""
    return sum(now_s - LOOP_S < started for started in record.recent) >= LOOP_STARTS


def state(record: Record, now_s: float, *, ready: bool) -> str:
    """In which state a supervised service is, by its last starts and by what it reports itself."""
    if ready:
        return HEALTHY
    late = bool(record.recent) and now_s - record.recent[-1] > GRACE_S
    return UNHEALTHY if late or is_crash_looping(record, now_s) else STARTING


def _status(one: ProcessPlan, home: Layout, now_s: float, fault: str) -> ServiceStatus:
    path = process_lock.path_of(home.run, one.name)
    record, alive = process_lock.read(path), process_lock.is_held(path)
    ready = not fault  # what it logged last, if anything, may be empty
    looping = not ready and is_crash_looping(record, now_s)
    if not ready and (looping or not alive):
        fault = log_files.last_message(home.logs, one.name)
    return ServiceStatus(
        one.name,
        state(record, now_s, ready=ready),
        record.recent[-1] if record.recent else None,
        max(record.starts - 1, 0),
        record.pid if alive else None,
        fault,
        one.note,
        looping,
    )


def _redis_fault(url: str) -> str:
    try:
        with redis_queue.connect(url, readiness.TIMEOUT_S) as redis:
            redis.ping()
    except NoAnswer:
        return SILENT
    except (NoConnection, OSError):
        return REFUSED
    except RedisError as error:  # such as: it reads its data
        return str(error)
    return ""


def _detail(status: int, body: bytes) -> str:
    """The reason that a running service reports for not being able to work; empty where it can."""
    if status == 200:
        return ""
    if status == 0:
        return SILENT
    try:
        return str(json.loads(body)["detail"])
    except (ValueError, TypeError, KeyError):
        return body.decode("utf-8", "replace").strip().partition("\n")[0][:200] or f"status {status}"
