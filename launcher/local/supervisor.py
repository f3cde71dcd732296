"""Supervisor: its configuration, its start, and a client of the running one.

Its file format has no way to write every path: it expands ``%``, ends values at `` ;``, and expands the
path of a log twice. So it contains no path: it runs in the home, where its own files have relative names,
and what its children need comes from its environment (``%(ENV_…)s``, which is not expanded again).
"""

import os
import pwd
import shlex
import socket
import subprocess
from collections.abc import Mapping
from configparser import ConfigParser
from http.client import HTTPException
from io import StringIO
from pathlib import Path
from typing import Any
from xmlrpc.client import Error, Fault, ServerProxy

from supervisor.xmlrpc import SupervisorTransport

from launcher.layout import Layout
from launcher.local.exec_service import CONFIGURATION
from launcher.local.liveness import LAUNCHER, supervisor_socket
from launcher.local.plan import Plan
from launcher.local.process_lock import SUPERVISOR, WATCHDOG
from pipeline import private_file

_NO_ANSWER = (OSError, HTTPException, Error)
_INHERITED = (
    *("PATH", "HOME", "LANG", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"),
    *("COVERAGE_PROCESS_START", "COVERAGE_FILE"),  # so that tests can measure what a whole system runs
)
STOP_WAIT_S = 10
LOG_MB = 10
LOG_COPIES = 3
_ORDER = ("redis", "influxdb", "web", "worker", "consumer", "gateway", "producer", WATCHDOG)
"""Supervisor starts the processes in this order, and stops them in the other one."""
_LOOPBACK = "127.0.0.1,localhost,::1"


def write_configuration(home: Layout, plan: Plan) -> None:
    """Write what Supervisor reads, for its owner alone. Raises OSError."""
    private_file.write(home.run / CONFIGURATION, render(home, plan))


def render(home: Layout, plan: Plan) -> str:
    """Supervisor's configuration: every program comes back whenever and however it ends.

    ``startsecs`` is 0 since a start that counts as failed makes Supervisor wait a second longer each
    time, and give up in the end; the pause between two starts is made by ``exec_service``.
    """
    sections: dict[str, Mapping[str, object]] = {
        "unix_http_server": {
            "file": _socket_name(home),
            "username": LAUNCHER,
            "password": LAUNCHER,
        },
        "rpcinterface:supervisor": {
            "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"
        },
        "supervisord": {
            # Staying root must be configured; by its name, as what $USER says may be another one's.
            **({"user": pwd.getpwuid(0).pw_name} if os.getuid() == 0 else {}),
            "nodaemon": "true",
            "silent": "true",
            "nocleanup": "true",
            "childlogdir": "logs",
            "pidfile": "run/supervisord.pid",
            "logfile": "logs/supervisord.log",
            "logfile_maxbytes": f"{LOG_MB}MB",
            "logfile_backups": LOG_COPIES,
        },
        f"program:{WATCHDOG}": _program(WATCHDOG, "launcher.local.watchdog", "TERM"),
    }
    for one in plan.processes:
        sections[f"program:{one.name}"] = _program(one.name, "launcher.local.exec_service", one.stop_signal)
    parser, text = ConfigParser(interpolation=None), StringIO()
    parser.read_dict(sections)
    parser.write(text)
    return text.getvalue()


def start(home: Layout, checkout: Path, plan: Plan) -> subprocess.Popen[bytes]:
    """Start Supervisor in the background. Raises OSError."""
    more = {
        "START_SH_CHECKOUT": str(checkout),
        "START_SH_EXEC": shlex.join([plan.python, "-m"]),
        "START_SH_RUN": shlex.quote(str(home.run)),
    }
    return subprocess.Popen(
        [plan.python, "-m", "launcher.local.exec_service", str(home.run), SUPERVISOR],
        cwd=checkout,
        env={**inherited(os.environ), **more},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=(home.logs / "supervisord.log").open("ab"),
        start_new_session=True,
    )


def inherited(environ: Mapping[str, str]) -> dict[str, str]:
    """What a system inherits from the terminal it was started in; settings come from its plan alone."""
    kept = {n: value for n, value in environ.items() if n in _INHERITED or n.startswith("LC_")}
    for name in ("NO_PROXY", "no_proxy"):  # the services talk to each other, not through a proxy
        kept[name] = ",".join(filter(None, (environ.get(name), _LOOPBACK)))
    return kept


def wake(home: Layout) -> bool:
    """Whether Supervisor listens. Before it starts anything it waits a second, or for a connection."""
    with socket.socket(socket.AF_UNIX) as connection:
        return connection.connect_ex(str(supervisor_socket(home))) == 0


class Stopper:
    """Asks Supervisor to stop processes, as long as it answers."""

    def __init__(self, home: Layout) -> None:
        self._home = home
        self._answers = True

    def __call__(self, name: str) -> bool:
        """Whether Supervisor does it; it does not wait for the end."""
        try:
            return self._answers and bool(_client(self._home).stopProcess(name, False))
        except Fault:  # it doesn't run just now
            return False
        except _NO_ANSWER:
            self._answers = False
            return False


def _client(home: Layout) -> Any:
    transport = SupervisorTransport(LAUNCHER, LAUNCHER, f"unix://{supervisor_socket(home)}")
    return ServerProxy("http://localhost", transport).supervisor


def _socket_name(home: Layout) -> str:
    return "run/supervisor.sock" if home.sockets == home.run else f"{home.sockets}/supervisor.sock"


def _program(name: str, module: str, stop_signal: str) -> dict[str, object]:
    return {
        "command": f"%(ENV_START_SH_EXEC)s {module} %(ENV_START_SH_RUN)s {name}",
        "directory": "%(ENV_START_SH_CHECKOUT)s",
        "priority": _ORDER.index(name.partition("-")[0]),
        "autorestart": "true",
        "startsecs": 0,
        "startretries": 10**9,
        "stopsignal": stop_signal,
        "stopwaitsecs": STOP_WAIT_S,
        "killasgroup": "true",
        "redirect_stderr": "true",
        "stdout_logfile": f"logs/{name}.log",
        "stdout_logfile_maxbytes": f"{LOG_MB}MB",
        "stdout_logfile_backups": LOG_COPIES,
    }
