"""The machine of the primary is lost under load: no acknowledged message is lost, doubled or moved."""

import time
from pathlib import Path

import pytest

from tests.support import failing_over, redis_group
from tests.support.failing_over import Pipeline
from tests.support.waiting import until

pytestmark = pytest.mark.system

TAKES_OVER_S = 15.0
RATE, SECONDS = 100, 20


def answers(pipeline: Pipeline, number: int) -> int:
    try:
        return pipeline.gateway.post(number).status
    except OSError:
        return 0


@pytest.mark.long
def test_the_primary_is_lost_under_load_and_a_replica_takes_over(tmp_path: Path) -> None:
    with (
        redis_group.running(min_replicas=1) as group,
        failing_over.running(tmp_path, group, replicas=1) as pipeline,
    ):
        load = pipeline.load(RATE, SECONDS)
        until(lambda: pipeline.worker.metric("fizzbuzz_worker_stored_messages_total") > 3 * RATE, 30)
        group.primary_node.lose()
        time.sleep(0.1)  # what is under way ends
        until(lambda: answers(pipeline, 1) == 202, TAKES_OVER_S, "messages are accepted again")
        output, _ = load.communicate(timeout=90)
        report = pipeline.report()
    assert load.returncode == 0, output
    assert report["verdict"] == "VALID"
    assert (report["acknowledged"], report["stored"]) == (RATE * SECONDS, RATE * SECONDS)
    assert [report[name] for name in ("lost", "duplicated", "unexpected", "moved")] == [0] * 4
    assert report["arrivals_compared"] == RATE * SECONDS
    assert report["failed_attempts"]  # the loss was felt
