"""What the queue holds, asked of Redis; and whether an outside Redis may hold it."""

import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from redis import Redis, RedisError

from launcher import log_files
from launcher.errors import USAGE, UserError
from launcher.layout import Layout
from launcher.local import redis_server
from launcher.local.exec_service import die_with_parent
from pipeline.queue import client as queue
from pipeline.queue import keys
from pipeline.queue.server_info import ServerInfo

TIMEOUT_S = 1.0
WITHIN_S = 4.0
"""Name resolution included, which has no timeout of its own."""
LOADS_S = 60.0
"""Reading a large append-only file takes a while."""
_LISTS = (keys.RQ_QUEUE, keys.RQ_INTERMEDIATE)
_SETS = (keys.RQ_STARTED, keys.RQ_SCHEDULED)


def connect(url: str, timeout_s: float = TIMEOUT_S) -> Redis:
    """A client; its calls raise RedisError or OSError."""
    return queue.connect(url, timeout_s=timeout_s)


def answers(url: str) -> bool:
    """Whether it answers PING."""
    try:
        with connect(url) as redis:
            return bool(redis.ping())
    except (RedisError, OSError):
        return False


def waiting(url: str) -> int:
    """Jobs in the queue or on their way to a worker; 0 where Redis doesn't answer: nothing to wait for."""
    try:
        with connect(url) as redis:
            return _listed(redis)
    except (RedisError, OSError):
        return 0


def check_outside(url: str, replicas: int = 0) -> None:
    """Raise UserError where the Redis at ``url`` is down, too old, may evict, or has too few replicas.

    Within ``WITHIN_S``, where there are no Sentinels to be asked first.
    """
    if wrong := queue.wrong_name(url):
        raise UserError(wrong, USAGE)
    info = _info(url)
    found = str(info.get("redis_version", "unknown"))
    if redis_server.parse(found) < redis_server.OLDEST:
        oldest = ".".join(map(str, redis_server.OLDEST))
        raise UserError(
            f"REDIS_URL: that Redis has version {found}, and {oldest} or newer is needed:"
            " older ones lose jobs when a worker is killed",
            USAGE,
        )
    if info.get("role") == "slave":
        raise UserError("REDIS_URL: that Redis is a replica, which refuses writes: name its primary", USAGE)
    policy = info.get("maxmemory_policy", "unknown")
    if policy != "noeviction":
        raise UserError(
            f"REDIS_URL: that Redis may evict messages (maxmemory-policy {policy}):"
            " set its maxmemory-policy to noeviction",
            USAGE,
        )
    _check_replicas(info, replicas)


def _check_replicas(info: Mapping[str, Any], needed: int) -> None:
    if needed and (reason := ServerInfo(str(info.get("redis_version", "")), "", 0, 0).unfit_for(needed)):
        raise UserError(reason, USAGE)
    there = int(info.get("connected_slaves", 0))
    if there < needed:
        raise UserError(f"FIZZBUZZ_REDIS_REPLICAS={needed}, but the Redis of REDIS_URL has {there}", USAGE)


def check_left_behind(home: Layout, python: Path) -> None:
    """Check the data of the own Redis, which a ``REDIS_URL`` would leave behind, while it does not run.

    Raises:
        UserError: jobs wait in it.
    """
    data = home.data / "redis"
    if any(path.is_file() and path.stat().st_size for path in data.glob("append*/*")) or any(
        data.glob("*.aof")
    ):
        with _started(home, redis_server.find(python), data) as url:
            check_left_running(url)


def check_left_running(url: str) -> None:
    """The same of one that runs. Failed jobs are only reported. Raises RedisError, OSError too."""
    with connect(url) as redis:
        jobs = _listed(redis) + sum(int(redis.zcard(name)) for name in _SETS)
        failed = int(redis.zcard(keys.RQ_FAILED))
    if jobs:
        raise UserError(
            f"REDIS_URL is set, but {jobs} jobs wait in this system's own Redis, where nothing would store"
            " them: run ./start.sh up without REDIS_URL until no job waits, then ./start.sh down"
        )
    if failed:
        print(f"{failed} failed jobs stay in this system's own Redis, which REDIS_URL replaces", flush=True)


def _listed(redis: Redis) -> int:
    return sum(int(redis.llen(name)) for name in _LISTS)


def _info(url: str) -> dict[str, Any]:
    """The fields of ``INFO`` about server, memory and replication."""
    found: dict[str, Any] = {}
    errors: list[str] = []

    def ask() -> None:
        try:
            with connect(url) as redis:
                for section in ("server", "memory", "replication"):
                    found.update(redis.info(section))
        except (RedisError, OSError, ValueError, TypeError, AttributeError) as error:  # or no Redis at all
            errors.append(str(error))

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(WITHIN_S)
    if not found:
        reason = errors[0] if errors else f"no answer within {WITHIN_S:.0f} s"
        raise UserError(f"REDIS_URL: no Redis can be used there: {reason}", USAGE)
    return found


@contextmanager
def _started(home: Layout, program: redis_server.Program, data: Path) -> Iterator[str]:
    """The URL of a Redis that runs on ``data`` for as long as it is checked."""
    redis_server.check_data(program, data)
    socket = home.sockets / "check.sock"
    url = f"unix://{socket}"
    with (home.logs / "redis.log").open("ab") as log:
        process = subprocess.Popen(
            redis_server.argv(program.path, data, socket, memory_bytes=0),  # 0: no limit
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=die_with_parent,  # noqa: PLW1509 - there is no other thread yet
        )
    try:
        deadline = time.monotonic() + LOADS_S
        while not answers(url):
            if process.poll() is not None or time.monotonic() > deadline:
                last = log_files.last_message(home.logs, "redis")
                raise UserError(f"this system's own Redis doesn't start: {last}")
            time.sleep(0.02)
        yield url
    finally:
        process.terminate()
        process.wait()
        socket.unlink(missing_ok=True)
