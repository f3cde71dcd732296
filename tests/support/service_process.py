"""A service of the system as a process of its own, with no settings but those that a test gives."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import requests
from prometheus_client.parser import text_string_to_metric_families

from tests.support.bare_environment import bare
from tests.support.freezing import freeze

PROJECT = Path(__file__).parents[2]
PATIENCE_S = 30.0


class ServiceProcess:
    """``python -m SERVICE``; its log and the address of its /metrics are in ``directory``."""

    def __init__(self, service: str, directory: Path, name: str = "", **settings: str) -> None:
        name = name or service
        self.log_file = directory / f"{name}.log"
        self._address = directory / f"{name}.address"
        self._command = [sys.executable, "-m", service]
        self._environ = {**bare(), "FIZZBUZZ_PART": name, "FIZZBUZZ_RUN_DIR": str(directory), **settings}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, without waiting."""
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, cwd=PROJECT, env=self._environ, stdout=log, stderr=log
            )

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    def signal(self, number: signal.Signals) -> None:
        assert self._process
        self._process.send_signal(number)

    def freeze(self) -> None:
        freeze(self.pid)

    def thaw(self) -> None:
        self.signal(signal.SIGCONT)

    def stop(self) -> int:
        """End it with SIGTERM; its exit status."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def wait(self, within_s: float = PATIENCE_S) -> int:
        """Its exit status, once it has ended. Raises subprocess.TimeoutExpired."""
        assert self._process
        return self._process.wait(within_s)

    def kill(self) -> None:
        """End it at once (SIGKILL); harmless where it has ended, or never started."""
        if self._process:
            self._process.kill()
            self._process.wait(10)

    def text(self) -> str:
        """Its log so far."""
        return self.log_file.read_text()

    def log(self) -> list[dict[str, Any]]:
        """Its log so far; a line that is not JSON fails the test."""
        return [json.loads(line) for line in self.text().splitlines()]

    @property
    def metrics_address(self) -> str:
        return self._address.read_text().strip()

    @property
    def is_up(self) -> bool:
        """Whether it serves /metrics."""
        return self._address.exists()

    @property
    def ready(self) -> bool:
        try:
            return self.get("/readyz").status_code == 200
        except OSError:
            return False

    def get(self, path: str) -> requests.Response:
        """What it logs for operators."""
        return requests.get(f"http://{self.metrics_address}{path}", timeout=5)

    def metric(self, name: str, **labels: str) -> float:
        """The sum of the samples of that name which have these labels; 0 where there is none."""
        families = text_string_to_metric_families(self.get("/metrics").text)
        samples = (sample for family in families for sample in family.samples if sample.name == name)
        return sum(float(s.value) for s in samples if labels.items() <= s.labels.items())
