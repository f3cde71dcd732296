"""A whole system as ``./start.sh`` starts it, in a folder and on ports of its own."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import requests

from launcher.configuration import CHECKOUT, without_settings
from launcher.layout import Layout
from launcher.local import plan as plans
from launcher.local import process_lock, service_checks
from launcher.status import HEALTHY
from tests.support.ports import free_port
from tests.support.waiting import awaited

READY_VENV = os.environ.get("FIZZBUZZ_VENV") or sys.prefix
"""An environment that has all packages, so that the tests install nothing."""
HEALS_S = 10.0
STATUS_S = 30.0
"""What ``status`` says in between, of services or of figures that are late, is over by then."""
COMMAND_S = 110.0
"""How long a command may take."""


class Launched:
    """One system; it runs between ``up`` and ``down``."""

    def __init__(self, home: Path, checkout: Path = CHECKOUT, **settings: str) -> None:
        self.home = home
        self.checkout = checkout
        self.command_s = COMMAND_S
        self.web_port = free_port()
        self.gateway_port = free_port()
        self.settings = {
            "FIZZBUZZ_HOME": str(home),
            "FIZZBUZZ_VENV": READY_VENV,
            "FIZZBUZZ_WEB_PORT": str(self.web_port),
            "FIZZBUZZ_GATEWAY_PORT": str(self.gateway_port),
            "FIZZBUZZ_GRPC_PORT": str(free_port()),
            **settings,
        }

    def start_sh(self, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run ``./start.sh`` to its end; ``settings`` are for this once."""
        return subprocess.run(
            [str(self.checkout / "start.sh"), *words],
            env=self.environ(**settings),
            capture_output=True,
            text=True,
            check=False,
            timeout=self.command_s,
        )

    def environ(self, **settings: str) -> dict[str, str]:
        return {**without_settings(os.environ), **self.settings, **settings}

    def up(self, **settings: str) -> subprocess.CompletedProcess[str]:
        """Start it; fails the test where that fails."""
        done = self.start_sh("up", "--mode", "local", **settings)
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    def down(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Stop it; fails the test where that fails."""
        done = self.start_sh("down", *words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    def stats(self) -> dict[str, Any]:
        url = f"http://127.0.0.1:{self.web_port}/fizzbuzz/stats"
        answer: dict[str, Any] = requests.get(url, timeout=30).json()
        return answer

    def events(self) -> list[str]:
        """The texts of the newest events on the page."""
        url = f"http://127.0.0.1:{self.web_port}/fizzbuzz/stream?detail=1"
        with requests.get(url, stream=True, timeout=5) as answer:
            lines = answer.iter_lines()
            while next(lines) != b"event: detail":
                pass
            data = next(line for line in lines if line.startswith(b"data: "))
        return [event["text"] for event in json.loads(data.removeprefix(b"data: "))["events"]]

    def redis_url(self, user: str) -> str:
        """The address of its own Redis for the user of a service."""
        return (self.home / "data" / "redis-users" / user / "url").read_text()

    def metrics(self, service: str) -> str:
        """What ``/metrics`` of a service says; not of gateway and web, which have ports of their own."""
        address = (self.home / "run" / f"{service}.address").read_text().strip()
        return requests.get(f"http://{address}/metrics", timeout=5).text

    def status(self) -> dict[str, Any]:
        """What ``status --json`` says, each service by its name."""
        status = json.loads(self.start_sh("status", "--json").stdout)
        return {one["name"]: one for one in status["services"]}

    def until_healthy(self) -> None:
        """Fails the test where ``status`` does not say that all services are."""
        self.status_once(lambda done: done.returncode == 0, what="all are healthy")

    def status_once(
        self, fits: Callable[[subprocess.CompletedProcess[str]], object], *words: str, what: str
    ) -> subprocess.CompletedProcess[str]:
        """What ``status`` says once that ``fits``: on a busy machine one look may see what passes."""
        return awaited(lambda: self.start_sh("status", *words), fits, STATUS_S, what)

    def is_well(self) -> bool:
        """What ``status`` finds, without a command, which takes half a second of a core: for waiting."""
        home = Layout(self.home)
        plan = plans.find(home.run)
        return plan is not None and all(one.state == HEALTHY for one in service_checks.check(home, plan))

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What the database answers."""
        with closing(sqlite3.connect(self.home / "data" / "messages.db")) as database:
            return database.execute(query).fetchall()

    def kill(self, pid: int) -> None:
        os.kill(pid, signal.SIGKILL)

    def processes(self) -> dict[int, str]:
        """All processes of this system, by id, with their command lines."""
        return {pid: text for pid in _all() if (text := _command(pid, str(self.home)))}

    def pids(self) -> dict[str, int]:
        """The main process of each service, of Supervisor and of its watchdog."""
        files = (self.home / "run").glob("*.lock")
        found = {file.name.removesuffix(".lock"): process_lock.read(file).pid for file in files}
        return {name: pid for name, pid in found.items() if pid}  # a file is made, and then written

    def ports(self) -> list[int]:
        return [int(value) for name, value in self.settings.items() if name.endswith("_PORT")]


def _all() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _command(pid: int, home: str) -> str:
    """The command line of a process that has to do with ``home``, else nothing."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
        environ = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return ""
    ours = home.encode() in command + environ  # a service is given folders and files of it, and not its name
    return command.replace(b"\0", b" ").decode().strip() if ours else ""
