"""The HTTP API (contract of ``/openapi.json``), in front of a real consumer on a real Redis."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import grpc
import pytest
from flask.testing import FlaskClient
from redis import Redis
from werkzeug.test import TestResponse

from gateway.wsgi import DEADLINE
from pipeline.message import ClockOffset
from pipeline.queue import client as queue
from pipeline.queue import keys, ledger
from pipeline.tokens import CHECK_S
from tests.support.counters import counted
from tests.support.gateway_on_loop import Gateways
from tests.support.in_process_consumer import Consumer
from tests.support.redis_server import RedisServer
from tests.support.waiting import until

GOOD = {"run": "run-1", "number": 7, "sent_at": "2026-01-01T12:00:00.123456Z"}
JSON = "application/json"
TOKEN = "0123456789abcdef"


@pytest.fixture(autouse=True)
def counters(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))


@pytest.fixture
def consumer(redis: Redis) -> Iterator[Consumer]:
    consumer = Consumer(redis)
    yield consumer
    consumer.stop()


@pytest.fixture
def gateways() -> Iterator[Gateways]:
    gateways = Gateways()
    yield gateways
    gateways.close()


@pytest.fixture
def api(consumer: Consumer, gateways: Gateways) -> FlaskClient:
    return gateways.api(consumer.address)


def post(api: FlaskClient, body: object, content_type: str = JSON, **headers: str) -> TestResponse:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return api.post("/messages", data=data, content_type=content_type, headers=named)


def assert_problem(response: TestResponse, status: int) -> dict[str, object]:
    assert response.status_code == status
    assert response.content_type == "application/problem+json"
    body = json.loads(response.data)
    assert {"type", "title", "status", "detail"} <= body.keys()
    assert body["status"] == status
    return dict(body)


def test_a_message_is_accepted_with_its_arrival(api: FlaskClient, redis: Redis) -> None:
    response = post(api, GOOD)
    assert response.status_code == 202
    assert response.content_type == JSON
    assert response.json
    assert response.json.keys() == {"accepted", "duplicates", "arrived_at"}
    assert (response.json["accepted"], response.json["duplicates"]) == (1, 0)
    assert datetime.fromisoformat(response.json["arrived_at"]).utcoffset() is not None
    assert queue.depth(redis) == 1


def test_a_repeated_message_is_accepted_with_its_first_arrival(api: FlaskClient) -> None:
    first, second = post(api, GOOD).json, post(api, GOOD).json
    assert first
    assert second == {"accepted": 1, "duplicates": 1, "arrived_at": first["arrived_at"]}


def test_an_array_of_1000_messages_is_accepted_whole(api: FlaskClient) -> None:
    response = post(api, [GOOD | {"number": number} for number in range(1_000)])
    assert response.json
    assert (response.json["accepted"], response.json["duplicates"]) == (1_000, 0)


def test_all_or_none_of_an_array_are_accepted(api: FlaskClient, redis: Redis) -> None:
    assert_problem(post(api, [GOOD, GOOD | {"number": -1}]), 422)
    assert queue.depth(redis) == 0


def test_a_wrong_field_is_named(api: FlaskClient) -> None:
    problem = assert_problem(post(api, GOOD | {"number": -1}), 422)
    detail = "must be a whole number from 0 to 9007199254740991"
    assert problem["errors"] == [{"pointer": "/number", "detail": detail}]


def test_what_is_not_json_is_400(api: FlaskClient) -> None:
    assert_problem(post(api, b"nonsense"), 400)


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_another_media_type_is_415(api: FlaskClient, content_type: str) -> None:
    assert_problem(post(api, GOOD, content_type), 415)


def test_a_content_coding_is_415(api: FlaskClient) -> None:
    assert_problem(post(api, GOOD, Content_Encoding="gzip"), 415)


def test_json_may_name_its_charset(api: FlaskClient) -> None:
    assert post(api, GOOD, "application/json; charset=utf-8").status_code == 202


def test_a_body_of_1_mib_is_read(api: FlaskClient) -> None:
    assert post(api, json.dumps(GOOD).encode().ljust(1024 * 1024)).status_code == 202


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_another_method_is_405_and_names_the_right_one(api: FlaskClient, method: str) -> None:
    response = api.open("/messages", method=method)
    assert_problem(response, 405)
    assert "POST" in response.headers["Allow"]


def test_another_path_is_404(api: FlaskClient) -> None:
    assert_problem(api.get("/nowhere"), 404)


def test_what_a_sender_knows_of_its_clock_is_kept(api: FlaskClient, redis: Redis) -> None:
    assert post(api, GOOD, Clock_Offset_Ns="-1200", Clock_Error_Ns="350000").status_code == 202
    runs = ledger.read(redis, ["run-1", "run-2"]).runs
    assert runs["run-1"].clock == ClockOffset("run-1", -1200, 350_000)
    assert runs["run-2"].clock is None


@pytest.mark.parametrize("header", ["", "soon", "1.5", "1" * 19])
def test_a_clock_that_makes_no_sense_is_422(api: FlaskClient, header: str) -> None:
    assert_problem(post(api, GOOD, Clock_Offset_Ns=header, Clock_Error_Ns="1"), 422)


class TestToken:
    @pytest.fixture
    def api(self, consumer: Consumer, gateways: Gateways) -> FlaskClient:
        return gateways.api(consumer.address, FIZZBUZZ_API_TOKEN=TOKEN)

    def test_a_message_with_the_token_is_accepted(self, api: FlaskClient) -> None:
        assert post(api, GOOD, Authorization=f"Bearer {TOKEN}").status_code == 202

    @pytest.mark.parametrize(
        "value", ["", "Bearer", "Bearer wrong", f"Basic {TOKEN}", "Bearer 0123456789abcdef0"]
    )
    def test_without_it_nothing_is_accepted(self, api: FlaskClient, redis: Redis, value: str) -> None:
        response = post(api, GOOD, Authorization=value)
        assert_problem(response, 401)
        assert response.headers["WWW-Authenticate"] == "Bearer"
        assert queue.depth(redis) == 0

    def test_looking_needs_no_token(self, api: FlaskClient) -> None:
        assert api.get("/healthz").status_code == 200
        assert api.get("/openapi.json").json["paths"]["/messages"]["post"]["security"] == [{"token": []}]  # type: ignore[index]


class TestOtherSites:
    """A page from elsewhere, in the browser of somebody who can reach the gateway."""

    @pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1:8000", "[::1]:8000"])
    def test_the_loopback_is_known(self, api: FlaskClient, host: str) -> None:
        assert post(api, GOOD, Host=host).status_code == 202

    @pytest.mark.parametrize(
        "host", ["evil.example", "evil.example:8000", "localhost.evil.example", "192.0.2.1"]
    )
    def test_another_host_is_421_on_every_path(self, api: FlaskClient, redis: Redis, host: str) -> None:
        assert_problem(post(api, GOOD, Host=host), 421)
        for path in ("/healthz", "/readyz", "/metrics", "/openapi.json"):
            assert_problem(api.get(path, headers={"Host": host}), 421)
        assert queue.depth(redis) == 0

    def test_a_host_of_the_settings_is_known(self, consumer: Consumer, gateways: Gateways) -> None:
        api = gateways.api(consumer.address, FIZZBUZZ_HOSTS="pipeline.example, gateway")
        assert post(api, GOOD, Host="Pipeline.Example:443").status_code == 202
        assert post(api, GOOD, Host="gateway:8000").status_code == 202

    @pytest.mark.parametrize(
        "origin", ["https://evil.example", "null", "http://evil.example:8000", "http://["]
    )
    def test_a_post_with_a_foreign_origin_is_403(self, api: FlaskClient, redis: Redis, origin: str) -> None:
        assert_problem(post(api, GOOD, Origin=origin), 403)
        assert queue.depth(redis) == 0

    def test_a_post_with_an_origin_of_our_own_is_accepted(self, api: FlaskClient) -> None:
        assert post(api, GOOD, Origin="http://localhost:5000").status_code == 202

    def test_a_post_across_sites_is_403(self, api: FlaskClient, redis: Redis) -> None:
        assert_problem(post(api, GOOD, Sec_Fetch_Site="cross-site"), 403)
        assert queue.depth(redis) == 0


class TestNamedTokens:
    """Several tokens, in a file that changes."""

    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        file = tmp_path / "tokens"
        file.write_text("alpha:alpha-0123456789abc\nbeta:beta-0123456789abcd\n")
        return file

    @pytest.fixture
    def api(self, consumer: Consumer, gateways: Gateways, file: Path) -> FlaskClient:
        return gateways.api(consumer.address, FIZZBUZZ_API_TOKEN_FILE=str(file))

    def test_each_is_valid_and_its_name_is_no_part_of_it(self, api: FlaskClient) -> None:
        for secret in ("alpha-0123456789abc", "beta-0123456789abcd"):
            response = post(api, GOOD | {"run": secret}, Authorization=f"Bearer {secret}")
            assert response.status_code == 202
        assert_problem(post(api, GOOD, Authorization="Bearer alpha:alpha-0123456789abc"), 401)

    def test_they_are_exchanged_without_a_restart(self, api: FlaskClient, file: Path) -> None:
        def status(secret: str) -> int:
            return post(api, GOOD, Authorization=f"Bearer {secret}").status_code

        assert status("alpha-0123456789abc") == 202
        file.write_text("alpha:gamma-0123456789abc\n")
        until(lambda: status("gamma-0123456789abc") == 202, 5)
        assert status("alpha-0123456789abc") in {401, 429}  # 429 once there were many wrong ones

    def test_a_file_that_became_empty_opens_nothing(self, api: FlaskClient, file: Path) -> None:
        file.write_text("")
        time.sleep(CHECK_S + 0.1)
        assert_problem(post(api, GOOD), 401)
        assert post(api, GOOD, Authorization="Bearer alpha-0123456789abc").status_code == 202

    def test_wrong_ones_are_counted_logged_seldom_and_throttled(
        self, api: FlaskClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        before = counted("fizzbuzz_gateway_unauthorized_requests_total")
        answers = [post(api, GOOD, Authorization=f"Bearer wrong-{number:020}") for number in range(50)]
        assert {answer.status_code for answer in answers} == {401, 429}
        assert answers[-1].status_code == 429
        assert int(answers[-1].headers["Retry-After"]) >= 1
        assert counted("fizzbuzz_gateway_unauthorized_requests_total") == before + 50
        assert 1 <= caplog.text.count("without a valid token") <= 10
        assert "wrong-0" not in caplog.text
        assert post(api, GOOD, Authorization="Bearer alpha-0123456789abc").status_code == 202


class TestOwnRuns:
    """A run belongs to its first sender."""

    KEY, OTHER = "k" * 16, "o" * 128

    def test_a_run_with_a_key_accepts_nothing_without_it(self, api: FlaskClient, redis: Redis) -> None:
        assert post(api, GOOD, Run_Key=self.KEY).status_code == 202
        for headers in ({}, {"Run_Key": self.OTHER}):
            assert_problem(post(api, GOOD | {"number": 8}, **headers), 409)
        assert post(api, GOOD | {"number": 8}, Run_Key=self.KEY).status_code == 202
        assert queue.depth(redis) == 2

    def test_a_run_that_was_begun_without_one_is_open_to_all(self, api: FlaskClient) -> None:
        assert post(api, GOOD).status_code == 202
        assert post(api, GOOD | {"number": 8}, Run_Key=self.KEY).status_code == 202
        assert post(api, GOOD | {"number": 9}).status_code == 202

    @pytest.mark.parametrize("key", ["", "short", "k" * 129, "k" * 15 + " ", "k" * 15 + "é"])
    def test_what_is_no_key_is_422(self, api: FlaskClient, key: str) -> None:
        assert_problem(post(api, GOOD, Run_Key=key), 422)

    def test_the_key_itself_is_kept_nowhere(self, api: FlaskClient, redis: Redis) -> None:
        assert post(api, GOOD, Run_Key=self.KEY).status_code == 202
        assert not any(self.KEY.encode() in (redis.dump(key) or b"") for key in redis.keys("*"))
        assert keys.run("run-1").encode() in redis.keys("*")

    def test_a_named_token_owns_what_it_begins_whatever_key_comes_along(
        self, consumer: Consumer, gateways: Gateways
    ) -> None:
        tokens = "alpha:alpha-0123456789abc\nalpha:later-0123456789abc\nbeta:beta-0123456789abcd"
        api = gateways.api(consumer.address, FIZZBUZZ_API_TOKEN=tokens)

        def status(number: int, secret: str, **headers: str) -> int:
            body = GOOD | {"number": number}
            return post(api, body, Authorization=f"Bearer {secret}", **headers).status_code

        assert status(0, "alpha-0123456789abc", Run_Key=self.KEY) == 202
        assert status(1, "beta-0123456789abcd", Run_Key=self.KEY) == 409
        assert status(1, "later-0123456789abc") == 202

    def test_requests_at_once_do_not_suffer_from_a_foreign_one(self, api: FlaskClient) -> None:
        assert post(api, GOOD, Run_Key=self.KEY).status_code == 202

        def send(number: int) -> int:
            client = api.application.test_client()
            key = self.OTHER if number % 7 == 0 else self.KEY
            return post(client, GOOD | {"number": number + 100}, Run_Key=key).status_code

        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(send, range(100)))
        assert answers == [409 if number % 7 == 0 else 202 for number in range(100)]


class TestNewRuns:
    def test_a_sender_that_begins_too_many_is_429_and_its_known_runs_go_on(self, api: FlaskClient) -> None:
        first = [GOOD | {"run": f"run-{number}"} for number in range(1_000)]
        assert post(api, first).status_code == 202
        refused = post(api, [GOOD | {"run": f"more-{number}"} for number in range(1_000)])
        assert refused.status_code == 429
        assert int(refused.headers["Retry-After"]) >= 1
        assert post(api, GOOD | {"run": "run-7", "number": 8}).status_code == 202

    def test_another_sender_is_not_held_back(self, consumer: Consumer, gateways: Gateways) -> None:
        api = gateways.api(consumer.address, FIZZBUZZ_TRUST_FORWARDED="1")
        for address, status in (("192.0.2.1", 429), ("192.0.2.2", 202)):
            answers = [
                post(
                    api,
                    [GOOD | {"run": f"{address}-{half}-{n}"} for n in range(600)],
                    X_Forwarded_For=address,
                )
                for half in range(2 if status == 429 else 1)
            ]
            assert answers[-1].status_code == status

    def test_nobody_chooses_its_address_where_no_proxy_passes_it(self, api: FlaskClient) -> None:
        answers = [
            post(api, [GOOD | {"run": f"{half}-{n}"} for n in range(600)], X_Forwarded_For=f"192.0.2.{half}")
            for half in range(2)
        ]
        assert [answer.status_code for answer in answers] == [202, 429]


def test_a_long_name_of_a_field_is_not_repeated_in_full(api: FlaskClient) -> None:
    response = post(api, GOOD | {"x" * 1_000_000: 1})
    assert_problem(response, 422)
    assert len(response.data) < 2_000


def test_a_full_queue_is_429_with_a_time_to_wait(redis: Redis, gateways: Gateways) -> None:
    consumer = Consumer(redis, queue_limit=1)
    api = gateways.api(consumer.address)
    try:
        assert post(api, GOOD).status_code == 202
        response = post(api, GOOD | {"number": 8})
        assert_problem(response, 429)
        assert int(response.headers["Retry-After"]) >= 1
        consumer.check()
        assert_problem(api.get("/readyz"), 503)
    finally:
        consumer.stop()


def test_a_redis_without_memory_is_429_with_a_time_to_wait_and_accepts_once_it_has_some(
    own_redis: RedisServer, gateways: Gateways
) -> None:
    redis = own_redis.client()
    consumer = Consumer(redis)
    api = gateways.api(consumer.address)
    try:
        redis.config_set("maxmemory", 1)
        response = post(api, GOOD)
        assert_problem(response, 429)
        assert "no memory" in response.get_json()["detail"]
        assert int(response.headers["Retry-After"]) >= 1
        redis.config_set("maxmemory", 0)
        until(lambda: post(api, GOOD).status_code == 202, what="it accepts nothing")
    finally:
        consumer.stop()


def test_an_unavailable_consumer_is_503_with_a_time_to_wait(api: FlaskClient, consumer: Consumer) -> None:
    consumer.stop()
    response = post(api, GOOD)
    assert_problem(response, 503)
    assert int(response.headers["Retry-After"]) >= 1
    assert_problem(api.get("/readyz"), 503)
    assert api.get("/healthz").status_code == 200


def test_an_unavailable_redis_is_503_and_accepted_once_it_has_recovered(
    own_redis: RedisServer, gateways: Gateways
) -> None:
    consumer = Consumer(own_redis.client())
    api = gateways.api(consumer.address)
    try:
        own_redis.kill()
        assert_problem(post(api, GOOD), 503)
        consumer.check()
        assert_problem(api.get("/readyz"), 503)
        own_redis.start()
        assert post(api, GOOD).status_code == 202
        consumer.check()
        assert api.get("/readyz").status_code == 200
    finally:
        consumer.stop()


def test_no_answer_in_time_is_504(own_redis: RedisServer, gateways: Gateways) -> None:
    consumer = Consumer(own_redis.client())
    api = gateways.api(consumer.address)
    try:
        assert post(api, GOOD).status_code == 202
        own_redis.freeze()
        soon = {DEADLINE: time.monotonic() + 3}
        assert_problem(api.post("/messages", json=GOOD | {"number": 8}, environ_overrides=soon), 504)
    finally:
        own_redis.thaw()
        consumer.stop()


def test_requests_that_come_together_each_get_their_own_answer(api: FlaskClient, redis: Redis) -> None:
    def send(number: int) -> TestResponse:
        client = api.application.test_client()
        return post(client, [GOOD | {"number": number}, GOOD | {"number": number + 1_000}])

    with ThreadPoolExecutor(16) as pool:
        answers = [response.json for response in pool.map(send, range(200))]
    assert {(a["accepted"], a["duplicates"]) for a in answers if a} == {(2, 0)}
    assert len({a["arrived_at"] for a in answers if a}) > 1
    assert 0 < queue.depth(redis) <= 200


def test_ready_when_the_consumer_and_its_queue_accept(api: FlaskClient, consumer: Consumer) -> None:
    assert_problem(api.get("/readyz"), 503)  # the consumer has not checked its queue yet
    consumer.check()
    assert api.get("/readyz").status_code == 200


def test_a_call_past_the_gateway_is_checked_too(consumer: Consumer) -> None:
    from proto import fizzbuzz_pb2 as pb
    from proto import fizzbuzz_pb2_grpc as pb_grpc

    stub = pb_grpc.ConsumerStub(grpc.insecure_channel(consumer.address))
    good = pb.Message(run="run-1", number=0, sent_ns=1)
    for wrong in (
        [],
        [good] * 1_001,
        [pb.Message(run="", number=0, sent_ns=1)],
        [pb.Message(run="a b", number=0, sent_ns=1)],
        [pb.Message(run="a", number=-1, sent_ns=1)],
        [good, pb.Message(run="a", number=2**53, sent_ns=1)],
        [pb.Message(run="a", number=0, sent_ns=-1)],
    ):
        with pytest.raises(grpc.RpcError) as caught:
            stub.Store(pb.StoreRequest(messages=wrong), timeout=5)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    receipts = stub.Store(pb.StoreRequest(messages=[good, good]), timeout=5).receipts
    assert [receipt.duplicate for receipt in receipts] == [False, True]
