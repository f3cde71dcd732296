"""A system that listens on every address, with a token and a Redis that is not its own."""

from collections.abc import Iterator

import pytest
import requests

from tests.support.launched import HEALS_S, Launched
from tests.support.redis_server import RedisServer
from tests.support.waiting import until
from tests.system.conftest import NewSystem

pytestmark = pytest.mark.system

TOKEN = "a-token-of-16-or-more"
OUTER = "127.0.0.2"
"""Stands for an address of the network: what listens on 127.0.0.1 is not reached by it."""
MESSAGE = {"run": "from-outside", "number": 0, "sent_at": "2026-01-01T00:00:00Z"}


@pytest.fixture
def opened(new_system: NewSystem, own_redis: RedisServer) -> Iterator[Launched]:
    system = new_system(FIZZBUZZ_BIND="0.0.0.0", FIZZBUZZ_API_TOKEN=TOKEN, REDIS_URL=own_redis.url)
    system.up()  # returns once a message of its producer, which has the token, is stored and shown
    yield system
    system.down()  # while its Redis still runs


def test_it_stores_what_comes_with_the_token_from_elsewhere_and_nothing_else(
    opened: Launched, own_redis: RedisServer
) -> None:
    opened.until_healthy()
    assert "redis" not in opened.pids()
    assert own_redis.client().keys("fizzbuzz:*") != []
    url = f"http://{OUTER}:{opened.gateway_port}/messages"
    assert requests.post(url, json=MESSAGE, timeout=5).status_code == 401
    headers = {"Authorization": f"Bearer {TOKEN}"}
    assert requests.post(url, json=MESSAGE | {"number": 1}, headers=headers, timeout=5).status_code == 202
    query = "SELECT number FROM message WHERE run = 'from-outside'"
    until(lambda: opened.rows(query) == [(1,)], HEALS_S, "it is not stored")
    assert requests.get(f"http://{OUTER}:{opened.web_port}/fizzbuzz/", timeout=5).status_code == 200
