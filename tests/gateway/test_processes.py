"""A gateway of several processes is one to those who ask it."""

import http.client
import os
import signal
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.gateway_process import Gateway
from tests.support.processes import children_of
from tests.support.redis_server import RedisServer
from tests.support.waiting import until

COUNTER = "fizzbuzz_gateway_accepted_messages_total"
MESSAGES = 40
"""Each over a connection of its own, so that every process gets some."""


def accepted(gateway: Gateway) -> float:
    """As the process says that this connection leads to."""
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=5)
    try:
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
    finally:
        connection.close()
    samples = (one for family in text_string_to_metric_families(text) for one in family.samples)
    return sum(one.value for one in samples if one.name == COUNTER)


@pytest.mark.parametrize("processes", [1, 2])
def test_the_metrics_are_those_of_all_its_processes(
    shared_redis: RedisServer, tmp_path: Path, processes: int
) -> None:
    gateway = Gateway(tmp_path, shared_redis.url, FIZZBUZZ_GATEWAY_PROCESSES=str(processes))
    try:
        gateway.start()
        pid = gateway.gateway.pid
        until(lambda: len(serving(pid) or [pid]) == processes)
        for number in range(MESSAGES):
            # a process that has not found the consumer yet answers 503
            until(lambda number=number: gateway.post(number).status == 202)  # type: ignore[misc]
        assert {accepted(gateway) for _ in range(10)} == {MESSAGES}
    finally:
        gateway.stop()


def test_one_of_several_processes_that_is_killed_is_replaced(
    shared_redis: RedisServer, tmp_path: Path
) -> None:
    gateway = Gateway(tmp_path, shared_redis.url, FIZZBUZZ_GATEWAY_PROCESSES="2")
    try:
        gateway.start()
        assert gateway.gateway
        pid = gateway.gateway.pid
        until(lambda: len(serving(pid)) == 2)
        killed = serving(pid)[0]
        os.kill(killed, signal.SIGKILL)
        until(lambda: len(serving(pid)) == 2 and killed not in serving(pid))
        until(lambda: gateway.post(0).status == 202)
    finally:
        gateway.stop()


def serving(pid: int) -> list[int]:
    """The processes that a gateway's first one has started to serve, without multiprocessing's own."""
    commands = {child: command(child) for child in children_of(pid)}
    return [child for child, words in commands.items() if words and "resource_tracker" not in words]


def command(pid: int) -> str:
    """Empty where it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""
