"""Supervisor: its configuration and its start."""

import getpass
import os
import re
import secrets
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path

from launcher.home import Home
from launcher.local import telephone
from launcher.local.part import SUPERVISOR
from launcher.local.plan import Part, Plan
from launcher.problem import Problem

STOP_WAIT_S = 10
LOG_MB = 10
LOG_COPIES = 3
_ORDER = ("redis", "influxdb", "web", "worker", "consumer", "gateway", "producer", "guard")
"""Supervisor starts the parts in this order, and stops them in the other one."""


def part(home: Home, python: Path) -> Part:
    """How Supervisor itself is started."""
    argv = (
        str(python),
        "-m",
        "supervisor.supervisord",
        "--nodaemon",
        "-c",
        str(telephone.configuration_path(home)),
    )
    return Part(SUPERVISOR, argv, {})


def check_paths(*paths: Path) -> None:
    """Raise Problem where Supervisor's file format has no way to write a path."""
    for path in paths:
        if re.search(r"%|\s[;#]|[\r\n]", str(path)):
            raise Problem(f"{path}: move it to a path without '%', ' ;', ' #' and line breaks")


def write_configuration(home: Home, checkout: Path, plan: Plan) -> None:
    """Write what Supervisor reads, for its owner alone. Raises OSError."""
    text = render(home, checkout, plan, password=telephone.password(home) or secrets.token_urlsafe(24))
    fresh = telephone.configuration_path(home).with_suffix(".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    fresh.replace(telephone.configuration_path(home))


def render(home: Home, checkout: Path, plan: Plan, *, password: str) -> str:
    """Supervisor's configuration: every program comes back whenever and however it ends.

    ``startsecs`` is 0 since a start that counts as failed makes Supervisor wait a second longer each
    time, and give up in the end; the pause between two starts is made by ``launcher.local.part``.
    """
    python = plan.supervisor.argv[0]
    sections: dict[str, Mapping[str, object]] = {
        "unix_http_server": {
            "file": telephone.socket_path(home),
            "username": "launcher",
            "password": password,
        },
        "rpcinterface:supervisor": {
            "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"
        },
        "supervisord": _daemon(home),
        "program:guard": {
            **_program(home, checkout, "guard"),
            "command": shlex.join([python, "-m", "launcher.local.guard", str(home.run)]),
        },
    }
    for name in plan.names:
        sections[f"program:{name}"] = {
            **_program(home, checkout, name),
            "command": shlex.join([python, "-m", "launcher.local.part", str(home.run), name]),
        }
    return "\n".join(_section(name, options) for name, options in sections.items())


def start(plan: Plan, home: Home, checkout: Path, environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start Supervisor in the background. Raises OSError."""
    return subprocess.Popen(
        [plan.supervisor.argv[0], "-m", "launcher.local.part", str(home.run), SUPERVISOR],
        cwd=checkout,
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=(home.logs / "supervisord.log").open("ab"),
        start_new_session=True,
    )


def _daemon(home: Home) -> dict[str, object]:
    root = {"user": getpass.getuser()} if os.getuid() == 0 else {}  # to stay root has to be said
    return {
        **root,
        "silent": "true",
        "nocleanup": "true",
        "childlogdir": home.logs,
        "pidfile": home.run / "supervisord.pid",
        "logfile": home.logs / "supervisord.log",
        "logfile_maxbytes": f"{LOG_MB}MB",
        "logfile_backups": LOG_COPIES,
    }


def _program(home: Home, checkout: Path, name: str) -> dict[str, object]:
    return {
        "directory": checkout,
        "priority": _ORDER.index(name.partition("-")[0]),
        "autorestart": "true",
        "startsecs": 0,
        "startretries": 10**9,
        "stopwaitsecs": STOP_WAIT_S,
        "killasgroup": "true",
        "redirect_stderr": "true",
        "stdout_logfile": home.logs / f"{name}.log",
        "stdout_logfile_maxbytes": f"{LOG_MB}MB",
        "stdout_logfile_backups": LOG_COPIES,
    }


def _section(name: str, options: Mapping[str, object]) -> str:
    return "\n".join((f"[{name}]", *(f"{key} = {value}" for key, value in options.items()), ""))
