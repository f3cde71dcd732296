"""Redis with replicas in containers: the primary's container and its disk are lost under load."""

import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher.compose import engine
from launcher.compose.containers import Container
from tests.support.acceptance import Acceptance
from tests.support.compose_site import Site
from tests.support.waiting import awaited, until

pytestmark = pytest.mark.long

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


def primary(site: Site) -> Container:
    """On a busy machine another one than the first may have become it."""
    ask = "REDISCLI_AUTH=$(cat /secrets/redis/password) redis-cli --user launcher role"
    servers = [one for service in ("redis", "redis-2", "redis-3") for one in site.containers(service)]
    return next(
        one for one in servers if site.run_in_container(one.id, "sh", "-c", ask).stdout.startswith("master")
    )


def readiness(site: Site) -> str:
    """What the consumer says; empty where it is not ready."""
    return site.run_in("consumer", "python", "-c", _READY).stdout.strip()


def test_the_primarys_container_and_disk_are_lost_under_load_and_a_replica_takes_over(group: Site) -> None:
    until(lambda: "ready: Redis has 2 replicas: redis-" in readiness(group), 30, "both are in use")
    queue = group.run_in("worker", "sh", "-c", 'RQ_REDIS_URL="$(cat /secrets/redis/url)" rq info')
    assert "messages" in queue.stdout, queue.stderr
    said: list[str] = []
    load = threading.Thread(
        target=lambda: said.append(group.start_sh("load", "--rate", "50", "--for", "20").stdout)
    )
    before = awaited(lambda: group.stats()["stored_total"], lambda count: count is not None)
    load.start()
    until(lambda: (group.stats()["stored_total"] or 0) > before + 150, 60, "the load has begun")
    lost = primary(group)
    url = f"http://127.0.0.1:{group.settings['FIZZBUZZ_GATEWAY_PORT']}/messages"
    with Acceptance(url, "acceptance") as acceptance:
        engine.run("rm", "--force", lost.id)
        engine.run("volume", "rm", f"{group.project.name}_{lost.service}")
        until(lambda: "1 replica: redis-" in readiness(group), 2 * TAKES_OVER_S, "a replica takes over")
        assert acceptance.longest_own_s() < TAKES_OVER_S
    load.join(120)
    assert "VALID  every acknowledged message is stored exactly once" in said[0], said[0]
    group.compose("up", "--detach", lost.service)  # it comes back without its data, as a replica
    until(lambda: "2 replicas: redis-" in readiness(group), 60, "it is a replica again")
    until(group.all_healthy, 60, "all healthy")
