"""Clients that nobody here wrote are content with the running system."""

import json
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

from tests.support.launched import HEALS_S, Launched
from tests.support.waiting import until

pytestmark = pytest.mark.system


def program(name: str) -> str:
    """Where ``name`` is; skips the test where it is nowhere."""
    beside_python = Path(sys.prefix) / "bin" / name
    found = str(beside_python) if beside_python.exists() else shutil.which(name)
    if found is None:
        pytest.skip(f"no {name} on PATH")
    return found


def run(*command: str, given: str = "", within_s: float = 60, **environ: str) -> str:
    done = subprocess.run(
        command,
        input=given,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=within_s,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def grpc_address(system: Launched) -> str:
    return f"127.0.0.1:{system.settings['FIZZBUZZ_GRPC_PORT']}"


def test_grpcurl_lists_and_calls_the_service_by_reflection(system: Launched) -> None:
    grpcurl, address = program("grpcurl"), grpc_address(system)
    assert "fizzbuzz.v1.Consumer" in run(grpcurl, "-plaintext", address, "list").split()
    sent_ns = time.time_ns()
    message = {"run": "grpcurl", "number": 0, "sent_ns": sent_ns}
    answer = run(
        grpcurl,
        "-plaintext",
        "-d",
        json.dumps({"messages": [message]}),
        address,
        "fizzbuzz.v1.Consumer/Store",
    )
    (receipt,) = json.loads(answer)["receipts"]
    assert int(receipt.get("arrivedNs") or receipt["arrived_ns"]) > sent_ns, answer
    until(lambda: system.rows("SELECT count(*) FROM message WHERE run = 'grpcurl'") == [(1,)], 5)


def test_grpc_health_probe_answers_serving(system: Launched) -> None:
    until(system.is_well, HEALS_S)
    for service in ("", "fizzbuzz.v1.Consumer"):
        patience = ("-connect-timeout=10s", "-rpc-timeout=10s")  # its own is 1 s
        address = f"-addr={grpc_address(system)}"
        run(program("grpc-health-probe"), address, f"-service={service}", *patience)


def test_promtool_finds_nothing_in_any_metrics(system: Launched) -> None:
    promtool = program("promtool")
    addresses = [f"127.0.0.1:{system.web_port}", f"127.0.0.1:{system.gateway_port}"]
    addresses += [file.read_text().strip() for file in (system.home / "run").glob("*.address")]
    assert len(addresses) == 5
    for address in addresses:
        text = requests.get(f"http://{address}/metrics", timeout=5).text
        assert "fizzbuzz_" in text
        assert run(promtool, "check", "metrics", given=text) == "", address


def test_sqlite3_reads_the_database_while_it_is_written(system: Launched) -> None:
    sqlite3 = program("sqlite3")
    query = "SELECT max(number), count(*) FROM message WHERE run LIKE '2%'"
    database = str(system.home / "data" / "messages.db")

    def stored() -> int:
        return int(run(sqlite3, database, query).split("|")[1])

    before = stored()
    until(lambda: stored() > before, what="nothing is written")
    assert run(sqlite3, database, "PRAGMA integrity_check") == "ok\n"


def test_rq_info_shows_the_queue_and_its_worker(system: Launched) -> None:
    url = system.redis_url("worker")
    shown = run(program("rq"), "info", RQ_REDIS_URL=url)
    assert "messages" in shown
    assert "worker-1" in shown


@pytest.mark.timeout(300)
def test_schemathesis_finds_no_server_error_and_nothing_that_the_description_lacks(system: Launched) -> None:
    url = f"http://127.0.0.1:{system.gateway_port}/openapi.json"
    # A schema can't say that a time lies too far ahead of now, so what it allows may be refused.
    lacks = "--exclude-checks=positive_data_acceptance"
    seed = random.randrange(2**32)
    print(f"schemathesis --seed={seed}")  # shown where the test fails
    words = ("--max-examples=60", f"--seed={seed}", "--no-color", lacks)
    run(program("schemathesis"), "run", url, *words, within_s=200)
