"""A service of the system as a process of its own, with no settings but those that a test gives."""

import json
import sys
from pathlib import Path
from typing import Any

import requests
from prometheus_client.parser import text_string_to_metric_families

from tests.support.bare_environment import bare
from tests.support.child_process import ChildProcess


class ServiceProcess(ChildProcess):
    """``python -m SERVICE``; its log and the address of its /metrics are in ``directory``."""

    def __init__(self, service: str, directory: Path, name: str = "", **settings: str) -> None:
        name = name or service
        environ = {**bare(), "FIZZBUZZ_PART": name, "FIZZBUZZ_RUN_DIR": str(directory), **settings}
        super().__init__([sys.executable, "-m", service], directory / f"{name}.log", environ)
        self._address = directory / f"{name}.address"

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
