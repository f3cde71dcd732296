"""Makes page, API and InfluxDB of a cluster available on this machine's ports, in a process of its own.

``kubectl port-forward`` leads to one pod. It ends with that pod, but not where the pod's node is lost. This
process starts it again, to another pod of the service where there is one. It is found, and stopped, by the
lock that it holds (``launcher.local.process_lock``).
"""

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from launcher import readiness
from launcher.configuration import Configuration
from launcher.containerized import influx_url
from launcher.errors import UserError
from launcher.kubernetes import pods
from launcher.kubernetes.cluster import Cluster
from launcher.local import process_lock
from pipeline.settings import Settings

PERIOD_S = 0.5
MAX_DOUBLINGS = 3
"""Of the period, one for each start in a row that led to no answer."""
MISSES = 3
"""Requests in a row that got no answer, until kubectl is started again."""
TIMEOUT_S = 1.0
STOP_S = 5.0


@dataclass
class Forward:
    """One port: where it leads, and an address that answers as long as it does."""

    cluster: Cluster
    service: str
    options: Sequence[str]
    """Of ``kubectl port-forward``, before the name of a pod."""
    ports: str
    url: str
    pod: str = ""
    """Where it leads now."""
    process: subprocess.Popen[bytes] | None = None
    misses: int = 0
    starts: int = 0
    """Since the last answer."""
    error: str = ""
    """The last one that was printed."""

    def keep(self) -> None:
        """Start kubectl where it does not run; end it where nothing answers, for the next call."""
        if self.process is None or self.process.poll() is not None:
            self.starts += 1
            self._start()
        elif readiness.get(self.url, timeout_s=TIMEOUT_S)[0]:
            self.misses, self.starts, self.error = 0, 0, ""
        else:
            self.misses += 1
            if self.misses >= MISSES:
                self.end()

    def keep_while(self, path: Path) -> None:
        """Do so until the file has gone."""
        while path.exists():
            self.keep()
            time.sleep(self.pause_s)
        self.end()

    @property
    def pause_s(self) -> float:
        """Until the next ``keep``."""
        return PERIOD_S * 2.0 ** min(max(self.starts - 1, 0), MAX_DOUBLINGS)

    def end(self) -> None:
        """End kubectl."""
        if self.process:
            self.process.kill()
            self.process.wait()

    def _start(self) -> None:
        """To another pod than the one before, if there is one."""
        try:
            found = pods.ready_first(self.cluster, self.service)
        except UserError as error:
            if str(error) != self.error:  # a cluster may be away for days
                print(error, file=sys.stderr, flush=True)
            self.error = str(error)
            return
        if found:
            self.pod = next((name for name in found if name != self.pod), found[0])
            command = self.cluster.command("port-forward", *self.options, f"pod/{self.pod}", self.ports)
            # Its output is one line for each connection, of which each check is one.
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
            self.misses = 0


def ensure(configuration: Configuration, cluster: Cluster) -> None:
    """Start the process, unless it runs. Raises OSError."""
    path = _lock(configuration)
    if process_lock.is_held(path):
        return
    given = json.dumps([cluster.context, cluster.namespace, _wanted(configuration.settings)])
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
    context, namespace, wanted = json.loads(given)
    forwards = [Forward(Cluster(context, namespace), *one) for one in wanted]
    with ThreadPoolExecutor(len(forwards)) as threads:
        for one in forwards:
            threads.submit(one.keep_while, path)


def _lock(configuration: Configuration) -> Path:
    return process_lock.path_of(configuration.home.kubernetes, "forward")


def _wanted(settings: Settings) -> list[tuple[str, Sequence[str], str, str]]:
    """Service, options, ports and address of each."""
    web, gateway = (
        readiness.service_url(settings, port) for port in (settings.web_port, settings.gateway_port)
    )
    services = (
        ("web", settings.web_port, 5000, f"{web}/healthz"),
        ("gateway", settings.gateway_port, 8000, f"{gateway}/healthz"),
        ("influxdb", settings.influx_port, 8086, f"{influx_url(settings)}/ping"),
    )
    return [
        (name, ("--address", settings.bind), f"{ours}:{theirs}", url) for name, ours, theirs, url in services
    ]


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
