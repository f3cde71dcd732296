"""A real producer for tests, as its own process."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import requests
from prometheus_client.parser import text_string_to_metric_families

from tests.support.bare_environment import bare

PROJECT = Path(__file__).parents[2]


class ProducerProcess:
    """``python -m producer``; its log and the address of its /metrics are in ``directory``."""

    def __init__(self, directory: Path, gateway_url: str, **settings: str) -> None:
        self._directory = directory
        self._environ = {
            **bare(),
            "FIZZBUZZ_PART": "producer",
            "FIZZBUZZ_RUN_DIR": str(directory),
            "FIZZBUZZ_GATEWAY_URL": gateway_url,
            **settings,
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self._directory / "producer.log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "producer"], cwd=PROJECT, env=self._environ, stdout=log, stderr=log
            )

    def send_signal(self, number: signal.Signals) -> None:
        assert self.process
        self.process.send_signal(number)

    def stop(self) -> int:
        """End it with SIGTERM; its exit status."""
        self.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        assert self.process
        return self.process.wait(15)

    def kill(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)

    def log(self) -> list[dict[str, Any]]:
        """Its log so far; a line that is not JSON fails the test."""
        return [json.loads(line) for line in self.text().splitlines()]

    def text(self) -> str:
        return (self._directory / "producer.log").read_text()

    def get(self, path: str) -> requests.Response:
        address = (self._directory / "producer.address").read_text().strip()
        return requests.get(f"http://{address}{path}", timeout=5)

    def is_up(self) -> bool:
        return (self._directory / "producer.address").exists()

    def metric(self, name: str, **labels: str) -> float:
        """A sample of /metrics; 0 where there is none."""
        for family in text_string_to_metric_families(self.get("/metrics").text):
            for sample in family.samples:
                if sample.name == name and sample.labels == labels:
                    return float(sample.value)
        return 0.0
