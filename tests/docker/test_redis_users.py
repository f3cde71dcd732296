"""In containers too each service has a user in Redis that may do what the service does, and no more."""

import json
from typing import Any

import pytest

from tests.support.compose_site import Site, inspect
from tests.support.waiting import until

SERVICES = ("consumer", "worker", "web")

_TRY = """
import json, sys
from pathlib import Path
from redis import Redis
from redis.exceptions import NoPermissionError
redis = Redis.from_url(Path("/secrets/redis/url").read_text())
def try_(words):
    try:
        redis.execute_command(*words)
    except NoPermissionError:
        return "denied"
    except Exception as error:
        return "denied" if "ACL failure in script" in str(error) else str(error)
    return "done"
print(json.dumps([redis.connection_pool.connection_kwargs["username"], *map(try_, json.loads(sys.argv[1]))]))
"""

_DENIED = (
    ["FLUSHALL"],
    ["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"],
    ["SHUTDOWN", "NOSAVE"],
    ["KEYS", "*"],
    ["ACL", "LIST"],
    ["SET", "somebody:else", "1"],
    ["EVAL", "return redis.call('SET', 'somebody:else', 1)", "0"],
)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_signs_in_as_itself_and_can_not_command_redis(site: Site, service: str) -> None:
    user, *found = json.loads(site.run_in(service, "python", "-c", _TRY, json.dumps(_DENIED)).stdout)
    assert user == service
    assert found == ["denied"] * len(_DENIED)


def test_the_web_service_can_not_write_the_queue(site: Site) -> None:
    words = (["LLEN", "rq:queue:messages"], ["RPUSH", "rq:queue:messages", "forged"])
    _, *found = json.loads(site.run_in("web", "python", "-c", _TRY, json.dumps(words)).stdout)
    assert found == ["done", "denied"]


@pytest.mark.parametrize("service", SERVICES)
def test_nobody_is_let_in_without_a_password(site: Site, service: str) -> None:
    code = "from redis import Redis; Redis('redis').ping()"
    done = site.run_in(service, "python", "-c", code)
    assert "AuthenticationError" in done.stderr


def test_the_container_of_redis_has_no_password_but_the_launchers(site: Site) -> None:
    password = site.run_in("redis", "cat", "/secrets/redis/password").stdout
    url = site.run_in("redis", "cat", "/secrets/redis/url").stdout
    assert url == f"redis://launcher:{password}@redis:6379/0"
    users = site.run_in("redis", "cat", "/secrets/users/users.acl").stdout
    for service in SERVICES:
        assert f"user {service} on #" in users
        assert site.run_in(service, "cat", "/secrets/redis/password").stdout not in users


def test_the_commands_of_rq_work_as_they_are_documented(site: Site) -> None:
    (address,) = [site.start_sh("up").stdout.partition("\nqueue ")[2].partition("\n")[0].strip()]
    assert address.endswith("""sh -c 'RQ_REDIS_URL=$(cat /secrets/redis/url) rq info'""")
    done = site.run_in("worker", "sh", "-c", 'RQ_REDIS_URL="$(cat /secrets/redis/url)" rq info')
    assert done.returncode == 0, done.stderr
    assert "messages" in done.stdout


def test_redis_is_asked_for_its_health_by_a_user_too(site: Site) -> None:
    (before,) = inspect(site.containers("redis")[0].id)
    checks = before["State"]["Health"]["Log"]

    def now() -> dict[str, Any]:
        return inspect(before["Id"])[0]

    until(lambda: now()["State"]["Health"]["Log"][-1]["Start"] > checks[-1]["Start"], 30, "a check")
    assert now()["State"]["Health"]["Log"][-1]["ExitCode"] == 0
    assert now()["State"]["Health"]["Status"] == "healthy"
    assert now()["RestartCount"] == before["RestartCount"]
