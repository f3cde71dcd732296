"""``GET /``: what the API is, and how to send a message."""

import json
import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Browser, expect
from redis import Redis

from pipeline.queue import client as queue
from tests.support.gateway_process import Gateway
from tests.support.redis_server import RedisServer

TOKEN = "0123456789abcdef"
README = Path(__file__).parents[2] / "README.md"


@pytest.fixture(scope="module")
def gateway(shared_redis: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    gateway = Gateway(tmp_path_factory.mktemp("gateway"), shared_redis.url)
    try:
        gateway.start()
        yield gateway
    finally:
        gateway.stop()


@pytest.fixture(scope="module")
def secured(shared_redis: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    gateway = Gateway(
        tmp_path_factory.mktemp("secured"), shared_redis.url, FIZZBUZZ_API_TOKEN=f"mine:{TOKEN}"
    )
    try:
        gateway.start()
        yield gateway
    finally:
        gateway.stop()


def get(gateway: Gateway, path: str = "/", accept: str = "*/*", **headers: str) -> requests.Response:
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return requests.get(
        f"http://127.0.0.1:{gateway.port}{path}", headers={"Accept": accept, **headers}, timeout=5
    )


def sh(command: str, **environ: str) -> str:
    done = subprocess.run(
        ["sh", "-c", command],
        env=os.environ | environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("*/*", "text/html"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html"),
        ("image/png", "text/html"),
        ("application/json", "application/json"),
        ("application/json, text/html;q=0.5", "application/json"),
    ],
)
def test_it_is_a_page_or_json_as_the_client_prefers(gateway: Gateway, accept: str, media_type: str) -> None:
    response = get(gateway, accept=accept)
    assert response.status_code == 200
    assert response.headers["Content-Type"].partition(";")[0] == media_type
    assert response.headers["Vary"] == "Accept"


def test_the_page_allows_nothing_from_elsewhere_and_no_inline_script(gateway: Gateway) -> None:
    response = get(gateway)
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert response.headers["X-Frame-Options"] == "DENY"
    for path in ("/", "/static/send.js", "/static/home.css"):
        assert get(gateway, path).headers["X-Content-Type-Options"] == "nosniff"
        assert get(gateway, path).headers["Cache-Control"] == "no-store"
    assert get(gateway, "/static/send.js").headers["Content-Type"].startswith("text/javascript")
    assert get(gateway, Host="evil.example").status_code == 421
    assert get(gateway, "/static/../app.py").status_code == 404


def test_its_command_sends_a_message_with_fractions_of_a_second(gateway: Gateway, redis: Redis) -> None:
    command = get(gateway, accept="application/json").json()["example"]
    assert f"http://127.0.0.1:{gateway.port}/messages" in command
    before = datetime.now(UTC)
    assert json.loads(sh(command))["accepted"] == 1
    assert queue.depth(redis) == 1
    (sent_at,) = _sent_at_of(command)
    assert before - timedelta(seconds=5) < sent_at < datetime.now(UTC)
    assert sent_at.microsecond or _sent_at_of(command)[0].microsecond  # 0 once in a million


def _sent_at_of(command: str) -> list[datetime]:
    """What the command puts into ``sent_at``, by the same shell."""
    body = sh(command.replace("curl ", "printf '%s\\n' ", 1)).splitlines()[-1]
    return [datetime.fromisoformat(json.loads(body)["sent_at"])]


def test_it_uses_no_option_that_only_one_systems_date_knows(gateway: Gateway) -> None:
    """GNU's date has %N, that of macOS has not; python3 is on both, and needed here anyway."""
    readme = README.read_text()
    (shown,) = [block for block in readme.split("```") if "curl " in block]
    for command in (get(gateway, accept="application/json").json()["example"], shown):
        assert "date " not in command
        assert "python3 -c" in command


def test_a_secured_gateway_asks_for_the_token(secured: Gateway) -> None:
    command = get(secured, accept="application/json").json()["example"]
    assert TOKEN not in command
    assert json.loads(sh(command))["status"] == 401
    assert json.loads(sh(command, TOKEN=TOKEN))["accepted"] == 1
    assert TOKEN not in get(secured).text


def test_behind_tls_the_command_says_https(gateway: Gateway) -> None:
    assert "curl https://127.0.0.1" in get(gateway, X_Forwarded_Proto="https").text


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_messages_by_another_method_is_405_with_the_same_command(gateway: Gateway, method: str) -> None:
    response = requests.request(method, f"http://127.0.0.1:{gateway.port}/messages", timeout=5)
    assert response.status_code == 405
    assert {one.strip() for one in response.headers["Allow"].split(",")} == {"OPTIONS", "POST"}
    assert response.json()["example"] == get(gateway, accept="application/json").json()["example"]


def test_another_path_by_another_method_has_no_such_command(gateway: Gateway) -> None:
    response = requests.post(f"http://127.0.0.1:{gateway.port}/healthz", timeout=5)
    assert response.status_code == 405
    assert "example" not in response.json()


def test_openapi_describes_it(gateway: Gateway) -> None:
    document = get(gateway, "/openapi.json").json()
    content = document["paths"]["/"]["get"]["responses"]["200"]["content"]
    assert content.keys() == {"text/html", "application/json"}
    described = content["application/json"]["schema"]["properties"].keys()
    assert described == get(gateway, accept="application/json").json().keys()
    assert "example" in document["components"]["schemas"]["Problem"]["properties"]


@pytest.mark.browser
def test_its_form_sends_messages_and_shows_each_response(
    browser: Browser, gateway: Gateway, redis: Redis
) -> None:
    page = browser.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"http://localhost:{gateway.port}/")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#answer")).to_contain_text('"accepted": 1')
    expect(page.get_by_label("number")).to_have_value("1")
    page.get_by_label("run").fill("form")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_label("number")).to_have_value("2")
    assert queue.depth(redis) == 2
    assert complaints == []
    page.close()


@pytest.mark.browser
def test_its_form_shows_a_refusal_and_takes_a_token(browser: Browser, secured: Gateway) -> None:
    page = browser.new_page()
    page.goto(f"http://127.0.0.1:{secured.port}/")
    page.get_by_label("token").fill("wrong")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#answer")).to_contain_text("401")
    page.get_by_label("token").fill(TOKEN)
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#answer")).to_contain_text("202")
    page.close()
