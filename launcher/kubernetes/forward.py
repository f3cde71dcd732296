"""Makes page, API and InfluxDB of a cluster available on this machine's ports, in a process of its own.

``kubectl port-forward`` ends with the pod that it leads to; this process starts it again. It is found, and
stopped, by the lock that it holds (``launcher.local.process_lock``).
"""

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from launcher import readiness
from launcher.configuration import Configuration
from launcher.kubernetes.cluster import Cluster
from launcher.local import process_lock
from pipeline.hosts import host_port, loopback_for

PERIOD_S = 0.5
MISSES = 4
"""Requests in a row that got no answer, until kubectl is started again."""
STOP_S = 5.0


@dataclass
class Forward:
    """One port: the command that forwards it, and an address that answers as long as it does."""

    command: Sequence[str]
    url: str
    process: subprocess.Popen[bytes] | None = None
    misses: int = 0

    def keep(self) -> None:
        """Start the command where it does not run; end it where nothing answers, for the next call."""
        if self.process is None or self.process.poll() is not None:
            self.process, self.misses = subprocess.Popen(self.command, stdin=subprocess.DEVNULL), 0
        elif readiness.get(self.url, timeout_s=1.0)[0]:
            self.misses = 0
        else:
            self.misses += 1
            if self.misses >= MISSES:
                self.end()

    def end(self) -> None:
        """End the command."""
        if self.process:
            self.process.kill()
            self.process.wait()


def ensure(configuration: Configuration, cluster: Cluster) -> None:
    """Start the process, unless it runs. Raises OSError."""
    path = _lock(configuration)
    if process_lock.is_held(path):
        return
    given = json.dumps([[one.command, one.url] for one in _forwards(configuration, cluster)])
    path.write_bytes(b"")  # no record of before
    with (configuration.home.logs / "kubernetes-forward.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "launcher.kubernetes.forward", str(path), given],
            cwd=configuration.checkout,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    while process.poll() is None and not process_lock.is_held(path):  # a stop finds it from now on
        time.sleep(0.02)
    process.returncode = 0  # nobody waits for it


def stop(configuration: Configuration) -> None:
    """End the process and what it started, and wait until they have closed their ports."""
    path = _lock(configuration)
    deadline = time.monotonic() + STOP_S
    while process_lock.is_held(path) and time.monotonic() < deadline:
        process_lock.kill(path)
        time.sleep(0.05)
    path.unlink(missing_ok=True)


def main(path: Path, given: str) -> None:
    """Forward until the file has gone."""
    process_lock.record_start(process_lock.acquire(path, inherit=False))
    forwards = [Forward(command, url) for command, url in json.loads(given)]
    while path.exists():
        for one in forwards:
            one.keep()
        time.sleep(PERIOD_S)
    for one in forwards:
        one.end()


def _lock(configuration: Configuration) -> Path:
    return process_lock.path_of(configuration.home.kubernetes, "forward")


def _forwards(configuration: Configuration, cluster: Cluster) -> list[Forward]:
    settings = configuration.settings
    wanted = (
        ("web", settings.web_port, 5000, "/healthz"),
        ("gateway", settings.gateway_port, 8000, "/healthz"),
        ("influxdb", settings.influx_port, 8086, "/ping"),
    )
    return [
        Forward(
            cluster.command(
                "port-forward", "--address", settings.bind, f"service/{name}", f"{ours}:{theirs}"
            ),
            f"http://{host_port(loopback_for(settings.bind), ours)}{path}",
        )
        for name, ours, theirs, path in wanted
    ]


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
