"""The optional page that shows the queue."""

import json
from collections.abc import Iterator

import pytest
import requests

from tests.support.compose_site import Site, inspect
from tests.support.ports import free_port
from tests.support.waiting import until


@pytest.fixture
def queue_ui(shared_site: Site) -> Iterator[Site]:
    settings = {**shared_site.settings, "FIZZBUZZ_QUEUE_UI_PORT": str(free_port())}
    site = Site(shared_site.configuration.home.path, **settings)
    site.compose("--profile", "queue-ui", "up", "--detach", "--no-recreate", "queue-ui")
    until(site.all_healthy, 60, "healthy")
    yield site
    site.compose("--profile", "queue-ui", "rm", "--stop", "--force", "queue-ui")


_FAIL = """
from pathlib import Path
from redis import Redis
redis = Redis.from_url(Path("/secrets/redis/url").read_text())
redis.hset("rq:job:bad", mapping={"data": b"x", "origin": "messages", "created_at": "2026-01-01T00:00:00Z"})
redis.rpush("rq:queue:messages", "bad")
"""


@pytest.mark.long
def test_it_shows_a_failed_job_and_can_requeue_it_by_its_own_user_in_redis(queue_ui: Site) -> None:
    assert queue_ui.run_in("worker", "python", "-c", _FAIL).returncode == 0
    until(lambda: "bad" in queue_ui.start_sh("failed").stdout, 20, "the job failed")
    port = queue_ui.settings["FIZZBUZZ_QUEUE_UI_PORT"]
    path = "/0/data/jobs/messages/failed/8/asc/1.json"
    assert "bad" in queue_ui.get("FIZZBUZZ_QUEUE_UI_PORT", path).decode()
    assert queue_ui.get("FIZZBUZZ_QUEUE_UI_PORT", "/0/view/workers")
    answer = requests.post(f"http://127.0.0.1:{port}/job/bad/requeue", timeout=5)
    assert answer.status_code == 200, answer.text
    until(lambda: "bad" in queue_ui.start_sh("failed").stdout, 20, "it failed again")
    assert queue_ui.start_sh("failed", "drop", "bad", "--yes").returncode == 0


def test_it_shows_the_queue_on_the_loopback_address_and_can_not_delete_from_it(queue_ui: Site) -> None:
    found = json.loads(queue_ui.get("FIZZBUZZ_QUEUE_UI_PORT", "/0/data/queues.json"))
    assert [one["name"] for one in found["queues"]] == ["messages"]
    port = queue_ui.settings["FIZZBUZZ_QUEUE_UI_PORT"]
    for headers, status in (({"Host": "evil.example"}, 421), ({"Origin": "https://evil.example"}, 403)):
        url = f"http://127.0.0.1:{port}/queue/messages/empty"
        assert requests.post(url, headers=headers, timeout=5).status_code == status
    (container,) = inspect(queue_ui.containers("queue-ui")[0].id)
    assert [one["HostIp"] for one in container["HostConfig"]["PortBindings"]["9181/tcp"]] == ["127.0.0.1"]
    assert container["HostConfig"]["ReadonlyRootfs"]
    assert "RQ_DASHBOARD_DISABLE_DELETE=true" in container["Config"]["Env"]
