"""A real consumer for tests, as its own process."""

import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import grpc
from prometheus_client.parser import text_string_to_metric_families

from proto import fizzbuzz_pb2 as pb
from proto import fizzbuzz_pb2_grpc as pb_grpc
from tests.support.bare_environment import bare
from tests.support.ports import free_port
from tests.support.waiting import until

PROJECT = Path(__file__).parents[2]
PATIENCE_S = 20.0


class ConsumerProcess:
    """``python -m consumer``; its log and the address of its /metrics are in ``directory``."""

    def __init__(self, directory: Path, redis_url: str, **settings: str) -> None:
        self.port = free_port()
        self._log = directory / "consumer.log"
        self._address = directory / "consumer.address"
        environ = {
            **bare(),
            "FIZZBUZZ_PART": "consumer",
            "FIZZBUZZ_RUN_DIR": str(directory),
            "FIZZBUZZ_GRPC_PORT": str(self.port),
            "REDIS_URL": redis_url,
            **settings,
        }
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "consumer"], cwd=PROJECT, env=environ, stdout=log, stderr=log
            )

    def channel(self) -> grpc.Channel:
        """A connection of its own; close it."""
        options = (("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0))
        return grpc.insecure_channel(f"127.0.0.1:{self.port}", options=options)

    def wait_ready(self) -> None:
        until(lambda: self.ready, PATIENCE_S, "the consumer is not ready", self._log)

    @property
    def ready(self) -> bool:
        return self._get("/readyz")[0] == 200

    def metric(self, name: str, **labels: str) -> float:
        """The sum of the samples of that name which have these labels."""
        families = text_string_to_metric_families(self._get("/metrics")[1])
        samples = (sample for family in families for sample in family.samples if sample.name == name)
        return sum(s.value for s in samples if labels.items() <= s.labels.items())

    def wait(self) -> int:
        """Its exit status, once it has ended by itself."""
        return self.process.wait(PATIENCE_S)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)

    def log(self) -> list[dict[str, Any]]:
        """Its log so far; a line that is not JSON fails the test."""
        return [json.loads(line) for line in self._log.read_text().splitlines()]

    @property
    def metrics_address(self) -> str:
        return self._address.read_text().strip()

    def _get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://{self.metrics_address}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, ""
        except OSError:
            return 0, ""


def store(channel: grpc.Channel, *numbers: int, timeout_s: float = 5.0, run: str = "run-1") -> Any:
    """A call that is under way; its ``result()`` is the answer."""
    messages = [pb.Message(run=run, number=number, sent_ns=time.time_ns()) for number in numbers]
    return pb_grpc.ConsumerStub(channel).Store.future(pb.StoreRequest(messages=messages), timeout=timeout_s)


def code_of(call: Any) -> grpc.StatusCode:
    """With which status the call ended."""
    code: grpc.StatusCode = call.code()
    return code
