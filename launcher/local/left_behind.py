"""What waits in a system's own Redis while that doesn't run."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from launcher.home import Home
from launcher.local import last_words, part, redis_server, waiting
from launcher.local.resp import Redis
from launcher.problem import Problem

LOADS_S = 60.0
"""Reading a large append-only file takes a while."""


def check(home: Home, python: Path) -> None:
    """Raise Problem where jobs wait that an outside Redis would leave behind; failed ones are told only."""
    data = home.data / "redis"
    if not any(path.is_file() and path.stat().st_size for path in data.rglob("*")):
        return
    with _started(home, redis_server.find(python), data) as url:
        jobs, failed = waiting.unstored(url), waiting.failed(url)
    if jobs:
        raise Problem(
            f"REDIS_URL is set, but {jobs} jobs wait in this system's own Redis, where nothing would store"
            " them: run ./start.sh up without REDIS_URL until no job waits, then ./start.sh down"
        )
    if failed:
        print(f"{failed} failed jobs stay in this system's own Redis, which REDIS_URL replaces", flush=True)


@contextmanager
def _started(home: Home, program: Path, data: Path) -> Iterator[str]:
    """The URL of a Redis that runs on ``data`` for as long as it is looked at."""
    redis_server.check_data(program, data)
    socket = home.sockets / "look.sock"
    options = ("--port", "0", "--unixsocketperm", "700", "--appendonly", "yes", "--save", "")
    command = [str(program), "--dir", str(data), "--unixsocket", str(socket), *options]
    with (home.logs / "redis.log").open("ab") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=part.die_with_parent,  # noqa: PLW1509 - there is no other thread yet
        )
    try:
        _wait(process, f"unix://{socket}", home)
        yield f"unix://{socket}"
    finally:
        process.terminate()
        process.wait()
        socket.unlink(missing_ok=True)


def _wait(process: "subprocess.Popen[bytes]", url: str, home: Home) -> None:
    deadline = time.monotonic() + LOADS_S
    while not _pongs(url):
        if process.poll() is not None or time.monotonic() > deadline:
            raise Problem(f"this system's own Redis doesn't start: {last_words.of(home.logs, 'redis')}")
        time.sleep(0.02)


def _pongs(url: str) -> bool:
    try:
        with Redis(url) as redis:
            return redis.ask("PING") == "PONG"
    except OSError:
        return False
