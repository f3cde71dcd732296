"""Redis with replicas in containers: the primary's container and its disk are lost under load."""

import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher.compose import engine
from tests.support.compose_site import Site
from tests.support.waiting import until

TAKES_OVER_S = 15.0
_READY = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:9090/readyz').read().decode())"


@pytest.fixture
def group() -> Iterator[Site]:
    """A system of its own, with two replicas and three Sentinels."""
    folder = Path(tempfile.mkdtemp(prefix="fizzbuzz-replicas-"))
    site = Site(folder, FIZZBUZZ_REDIS_REPLICAS="1")
    try:
        site.up()
        yield site
    finally:
        done = site.start_sh("down", "--wipe")
        assert (done.returncode, site.left()) == (0, []), done.stdout + done.stderr
        shutil.rmtree(folder, ignore_errors=True)


def readiness(site: Site) -> str:
    """What the consumer says; empty where it is not ready."""
    return site.run_in("consumer", "python", "-c", _READY).stdout.strip()


def test_the_primarys_container_and_disk_are_lost_under_load_and_a_replica_takes_over(group: Site) -> None:
    assert readiness(group) == "ready: Redis has 2 replicas: redis-2:6379, redis-3:6379"
    queue = group.run_in("worker", "sh", "-c", 'RQ_REDIS_URL="$(cat /secrets/redis/url)" rq info')
    assert "messages" in queue.stdout, queue.stderr
    said: list[str] = []
    load = threading.Thread(
        target=lambda: said.append(group.start_sh("load", "--rate", "50", "--for", "20").stdout)
    )
    before = group.stats()["stored_total"]
    load.start()
    until(lambda: group.stats()["stored_total"] > before + 150, 60, "the load has begun")
    (primary,) = group.containers("redis")
    engine.run("rm", "--force", primary.id)
    engine.run("volume", "rm", f"{group.project.name}_redis")
    until(lambda: not readiness(group), TAKES_OVER_S, "the loss is noticed")
    until(lambda: readiness(group), TAKES_OVER_S, "messages are accepted again")
    assert "1 replica: redis-" in readiness(group)
    load.join(120)
    assert "VALID  every acknowledged message is stored exactly once" in said[0], said[0]
    group.compose("up", "--detach", "redis")  # it comes back without its data, as a replica
    until(lambda: "2 replicas: redis-" in readiness(group), 60, "it is a replica again")
    until(group.all_healthy, 60, "all healthy")
