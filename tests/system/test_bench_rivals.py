"""The benchmark of other queues, for seconds, with the one that is installed anyway."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bench.rivals import catalogue, measure
from bench.rivals.limits import SHORT
from bench.rivals.loss import loss
from bench.rivals.rival_site import RivalSite, SetUp
from bench.rivals.site import running
from launcher.local import redis_server

pytestmark = [pytest.mark.system, pytest.mark.long]
FRONT_ENDS = (SetUp("threads", 8, 1, "1 worker"), SetUp("gthread", 8, 2, "2 workers"))
LIMITS = replace(SHORT, rate=20.0, loss_rate=20.0)


class LosesItsQueue(RivalSite):
    """Instead of being killed its Redis forgets what waits, as one without a file would."""

    def kill_redis(self) -> None:
        with self.redis.client() as client:
            client.delete("rq:queue:default")


def opened(set_up: SetUp, folder: Path, kind: type[RivalSite] = RivalSite) -> RivalSite:
    program = redis_server.find(Path(sys.executable)).path
    return kind("rq", catalogue.load("rq"), set_up, program, folder)


@pytest.mark.parametrize("set_up", FRONT_ENDS, ids=lambda one: str(one.server))
def test_a_front_end_accepts_all_at_a_low_rate_and_ends_with_its_site(set_up: SetUp, tmp_path: Path) -> None:
    site = opened(set_up, tmp_path)
    with running(site):
        found = measure.latency(site, LIMITS)
        pids = {pid for part in site.parts for pid in part.pids}
        assert site.memory_mb()["total"] > 20
    assert found["acknowledged"] == found["planned"] == 20
    assert found["p99_ms"] > 0
    assert len(pids) >= 3  # front end, worker and Redis
    assert [pid for pid in pids if Path(f"/proc/{pid}").exists()] == []


def test_rq_loses_nothing_while_its_worker_and_redis_are_killed(tmp_path: Path) -> None:
    site = opened(FRONT_ENDS[0], tmp_path)
    with running(site):
        found = loss(site, LIMITS, recovery_s=0)
    assert found["acknowledged"] == found["sent"] == 60
    assert (found["lost"], found["rows_twice"]) == (0, 0)
    assert found["retries"] > 0  # Redis was away


def test_what_a_queue_forgets_is_found_lost(tmp_path: Path) -> None:
    site = opened(FRONT_ENDS[0], tmp_path, LosesItsQueue)
    with running(site):
        found = loss(site, replace(LIMITS, worker_kills_s=(0.5,), redis_kills_s=(1.2,)), recovery_s=0)
    assert found["acknowledged"] == 60
    assert 3 <= found["lost"] <= 40
