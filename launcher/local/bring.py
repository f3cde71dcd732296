"""Brings the running processes to a plan: starts Supervisor, or changes what one that runs has."""

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from xmlrpc.client import Fault

from launcher.configuration import Configuration
from launcher.home import Home
from launcher.local import hold, last_words, supervisor, telephone
from launcher.local import plan as plans
from launcher.local.part import SUPERVISOR
from launcher.local.plan import Plan
from launcher.problem import Problem

ANSWERS_S = 15.0
"""Supervisor takes about half a second to start; a guard that has to make a new one, some more."""
STOPS_S = 10.0
PLAN = "parts.json"
_INHERITED = ("HOME", "LANG", "PATH", "REQUESTS_CA_BUNDLE", "SSL_CERT_DIR", "SSL_CERT_FILE", "TMPDIR", "TZ")
_LOOPBACK = "127.0.0.1,localhost,::1"


def plan_path(home: Home) -> Path:
    """The file with the plan of the system that runs."""
    return home.run / PLAN


def start(configuration: Configuration, plan: Plan) -> None:
    """Start a system that doesn't run.

    Raises:
        Problem: Supervisor doesn't start.
    """
    home = configuration.home
    for pattern in ("*.hold", "*.address"):
        for path in home.run.glob(pattern):
            hold.kill(path)
            path.unlink()
    _write(configuration, plan)
    process = supervisor.start(plan, home, configuration.checkout, inherited(os.environ))
    until(lambda: _answers(home) or process.poll() is not None, ANSWERS_S)
    if not _answers(home):
        raise Problem(f"Supervisor doesn't start: {last_words.of(home.logs, SUPERVISOR)}")


def change(configuration: Configuration, old: Plan, new: Plan) -> list[str]:
    """Bring a system that runs from ``old`` to ``new``; returns the names of the parts it touched.

    Raises:
        Problem: that can't be done while it runs.
    """
    if old.supervisor != new.supervisor:
        raise Problem("the virtual environment was changed since the start: ./start.sh down, then up again")
    home = configuration.home
    wait_for_supervisor(home)
    _write(configuration, new)
    client = telephone.connect(home)
    added, _, removed = client.reloadConfig()[0]
    changed = [part.name for part in new.parts if old.find(part.name) not in (None, part)]
    for name in (*removed, *reversed(changed)):
        stop(home, name)
    for name in removed:
        client.removeProcessGroup(name)
    for name in changed:
        client.startProcess(name, False)
    for name in added:
        client.addProcessGroup(name)
    return [*removed, *changed, *added]


def stop(home: Home, *names: str, within_s: float = STOPS_S) -> None:
    """Tell parts to stop and wait until they have, but ``within_s`` at most. Raises OSError."""
    client = telephone.connect(home)
    for name in names:
        try:
            client.stopProcess(name, False)
        except Fault:  # it doesn't run just now; Supervisor won't start it any more
            continue
    paths = [hold.path_of(home.run, name) for name in names]
    if until(lambda: not any(hold.is_held(path) for path in paths), within_s):
        for path in paths:
            path.unlink(missing_ok=True)  # its restarts are counted from the next start on


def wait_for_supervisor(home: Home) -> None:
    """Raise Problem where Supervisor doesn't answer in time."""
    if not until(lambda: _answers(home), ANSWERS_S):
        raise Problem(f"Supervisor doesn't answer: {last_words.of(home.logs, SUPERVISOR)}")


def until(true: Callable[[], bool], within_s: float, every_s: float = 0.05) -> bool:
    """Wait until ``true()``; whether it came true in time."""
    deadline = time.monotonic() + within_s
    while not (is_true := true()) and time.monotonic() < deadline:
        time.sleep(every_s)
    return is_true


def _answers(home: Home) -> bool:
    return is_running(home, timeout_s=telephone.ANSWER_S)


def is_running(home: Home, *, timeout_s: float) -> bool:
    """Whether Supervisor answers that it runs."""
    try:
        return bool(telephone.connect(home, timeout_s=timeout_s).getState()["statename"] == "RUNNING")
    except telephone.NO_ANSWER:
        return False


def _write(configuration: Configuration, plan: Plan) -> None:
    plans.write(plan_path(configuration.home), plan)
    supervisor.write_configuration(configuration.home, configuration.checkout, plan)


def inherited(environ: Mapping[str, str]) -> dict[str, str]:
    """What Supervisor and every part inherit: no secret of the terminal; settings come from the plan."""
    kept = {name: value for name, value in environ.items() if name in _INHERITED or name.startswith("LC_")}
    for name in ("NO_PROXY", "no_proxy"):  # the parts talk to each other, not through a proxy
        given = environ.get(name) or environ.get(name.swapcase())
        kept[name] = ",".join(filter(None, (given, _LOOPBACK)))
    return kept
