"""Makes page, API and InfluxDB of a cluster available on this machine's ports, in a process of its own.

``kubectl port-forward`` ends with the pod that it leads to; this process starts it again. It ends when its
file has gone, or names another process: nobody has to know its process id.
"""

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from launcher import readiness
from launcher.configuration import Configuration
from launcher.kubernetes.cluster import Cluster
from pipeline.settings import host_port, loopback_for

PERIOD_S = 0.5
MISSES = 4
"""Requests in a row that got no answer, until kubectl is started again."""
SILENT_S = 15.0
"""A process that has not touched its file for so long has ended, or the machine slept."""
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
    file = _file(configuration)
    if file.exists() and time.time() - file.stat().st_mtime < SILENT_S:
        return
    name = uuid.uuid4().hex
    file.write_text(name, encoding="utf-8")
    given = json.dumps([[one.command, one.url] for one in _forwards(configuration, cluster)])
    with (configuration.home.logs / "kubernetes-forward.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "launcher.kubernetes.forward", str(file), name, given],
            cwd=configuration.checkout,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    process.returncode = 0  # nobody waits for it


def stop(configuration: Configuration) -> None:
    """End the process, and wait until it has let go of its ports."""
    file = _file(configuration)
    ended = file.with_suffix(".ended")
    if file.exists() and time.time() - file.stat().st_mtime < SILENT_S:
        ended.unlink(missing_ok=True)
        file.unlink()
        deadline = time.monotonic() + STOP_S
        while not ended.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
    for path in (file, ended):
        path.unlink(missing_ok=True)


def main(file: Path, name: str, given: str) -> None:
    """Forward until the file no longer has this name."""
    forwards = [Forward(command, url) for command, url in json.loads(given)]
    try:
        while _is(file, name):
            file.touch()
            for one in forwards:
                one.keep()
            time.sleep(PERIOD_S)
    finally:
        for one in forwards:
            one.end()
        if not file.exists():
            file.with_suffix(".ended").touch()


def _is(file: Path, name: str) -> bool:
    try:
        return file.read_text(encoding="utf-8") == name
    except OSError:
        return False


def _file(configuration: Configuration) -> Path:
    return configuration.home.kubernetes / "forward"


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
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
