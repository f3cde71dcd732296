"""``./start.sh load`` as a process of its own, on a system of a test."""

import signal
import subprocess

from launcher.configuration import CHECKOUT
from tests.support.launched import Launched
from tests.support.tampering import Tampering
from tests.support.waiting import until

LONG = ("--for", "600")
"""Longer than any test: it sends until it is ended."""


def start(system: Launched, *words: str) -> "subprocess.Popen[str]":
    command = [str(CHECKOUT / "start.sh"), "load", *words]
    return subprocess.Popen(
        command, env=system.environ(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def new_run(database: Tampering, before: list[str]) -> str:
    """The run of the load that was just started, once it has rows."""
    until(lambda: len(database.runs()) > len(before), 30)
    return next(run for run in database.runs() if run not in before)


def end(load: "subprocess.Popen[str]") -> str:
    """Let it send no more, as Ctrl-C does; what it says, which is of what it has sent."""
    load.send_signal(signal.SIGINT)
    return load.communicate(timeout=200)[0]
