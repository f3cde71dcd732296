"""Each service exports the metrics of its own and of no other service."""

import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.consumer_process import ConsumerProcess
from tests.support.redis_server import RedisServer
from tests.support.waiting import until
from tests.support.workers import WorkerProcess


@contextmanager
def consumer(directory: Path, redis_url: str) -> Iterator[None]:
    process = ConsumerProcess(directory, redis_url)
    try:
        yield
    finally:
        process.kill()


@contextmanager
def worker(directory: Path, redis_url: str) -> Iterator[None]:
    process = WorkerProcess(directory, redis_url, "worker")
    try:
        yield
    finally:
        process.kill()


@pytest.mark.parametrize("service", [consumer, worker])
def test_a_service_exports_its_own_metrics_only(
    service: Callable[[Path, str], object], own_redis: RedisServer, tmp_path: Path
) -> None:
    name = service.__name__
    address = tmp_path / f"{name}.address"
    with service(tmp_path, own_redis.url):  # type: ignore[attr-defined]
        until(lambda: address.exists() and address.read_text().endswith("\n"))
        with urllib.request.urlopen(f"http://{address.read_text().strip()}/metrics", timeout=10) as answer:
            families = [family.name for family in text_string_to_metric_families(answer.read().decode())]
    of_the_product = {family.split("_")[1] for family in families if family.startswith("fizzbuzz_")}
    assert of_the_product == {name}
