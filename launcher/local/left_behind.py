"""What waits in a system's own Redis, which a new ``REDIS_URL`` would leave behind."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from launcher import log_files
from launcher.errors import UserError
from launcher.layout import Layout
from launcher.local import redis_queue, redis_server
from launcher.local.exec_service import die_with_parent

LOADS_S = 60.0
"""Reading a large append-only file takes a while."""


def check(home: Layout, python: Path) -> None:
    """Look into the data of a Redis that does not run. Raises UserError where jobs wait in it."""
    data = home.data / "redis"
    if any(path.is_file() and path.stat().st_size for path in data.glob("append*/*")) or any(
        data.glob("*.aof")
    ):
        with _started(home, redis_server.find(python), data) as url:
            check_running(url)


def check_running(url: str) -> None:
    """The same of one that runs. Failed jobs are only told of."""
    jobs, failed = redis_queue.unstored(url), redis_queue.failed(url)
    if jobs:
        raise UserError(
            f"REDIS_URL is set, but {jobs} jobs wait in this system's own Redis, where nothing would store"
            " them: run ./start.sh up without REDIS_URL until no job waits, then ./start.sh down"
        )
    if failed:
        print(f"{failed} failed jobs stay in this system's own Redis, which REDIS_URL replaces", flush=True)


@contextmanager
def _started(home: Layout, program: redis_server.Program, data: Path) -> Iterator[str]:
    """The URL of a Redis that runs on ``data`` for as long as it is looked at."""
    redis_server.check_data(program, data)
    socket = home.sockets / "look.sock"
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
        while not redis_queue.answers(url):
            if process.poll() is not None or time.monotonic() > deadline:
                last = log_files.last_message(home.logs, "redis")
                raise UserError(f"this system's own Redis doesn't start: {last}")
            time.sleep(0.02)
        yield url
    finally:
        process.terminate()
        process.wait()
        socket.unlink(missing_ok=True)
