"""Redis by rediss://, and by rediss+sentinel:// with Sentinels that speak TLS alone."""

from contextlib import suppress
from pathlib import Path

import pytest
from redis import RedisError

from pipeline.queue import client as queue
from tests.support import tls_redis
from tests.support.certificates import Certificates
from tests.support.consumer_process import ConsumerProcess, store
from tests.support.waiting import until


@pytest.fixture
def made(tmp_path: Path) -> Certificates:
    tls_redis.executable()
    return Certificates(tmp_path / "certificates")


def test_a_consumer_stores_into_a_redis_that_it_verified(tmp_path: Path, made: Certificates) -> None:
    with tls_redis.server(tmp_path, made) as redis:
        url = f"rediss://127.0.0.1:{redis.port}/0?ssl_ca_certs={made.ca}"
        consumer = ConsumerProcess(tmp_path, url)
        try:
            consumer.wait_ready()
            with consumer.channel() as channel:
                assert len(store(channel, 1, 2).result().receipts) == 2
            assert queue.waiting(queue.connect(url)) == 2
        finally:
            consumer.kill()


def test_a_redis_that_can_not_be_verified_gets_nothing(tmp_path: Path, made: Certificates) -> None:
    stranger = Certificates(tmp_path / "stranger")
    with tls_redis.server(tmp_path, made) as redis:
        for url in (
            f"rediss://127.0.0.1:{redis.port}/0",
            f"rediss://127.0.0.1:{redis.port}/0?ssl_ca_certs={stranger.ca}",
            f"rediss://127.0.0.2:{redis.port}/0?ssl_ca_certs={made.ca}",
            f"redis://127.0.0.1:{redis.port}/0",
        ):
            assert not tls_redis.answers(url)
        consumer = ConsumerProcess(tmp_path, f"rediss://127.0.0.1:{redis.port}/0?ssl_ca_certs={stranger.ca}")
        try:
            until(lambda: "CERTIFICATE_VERIFY_FAILED" in consumer.text(), 20, "no line")
            (line,) = [one["message"] for one in consumer.log() if one["level"] == "warning"]
            assert line.startswith("Redis is unavailable: ")
            assert not consumer.ready
        finally:
            consumer.kill()


def test_a_redis_may_ask_for_a_certificate(tmp_path: Path, made: Certificates) -> None:
    with tls_redis.server(tmp_path, made, asks_clients=True) as redis:
        url = f"rediss://127.0.0.1:{redis.port}/0?ssl_ca_certs={made.ca}"
        assert not tls_redis.answers(url)
        assert tls_redis.answers(f"{url}&ssl_certfile={made.crt()}&ssl_keyfile={made.key()}")


def test_a_renewed_certificate_is_used_by_the_next_connection(tmp_path: Path, made: Certificates) -> None:
    with tls_redis.server(tmp_path, made, asks_clients=True) as redis:
        options = f"ssl_ca_certs={made.ca}&ssl_certfile={made.crt('own')}&ssl_keyfile={made.key('own')}"
        made.make("own", days=0)
        with queue.connect(f"rediss://127.0.0.1:{redis.port}/0?{options}") as client:
            with pytest.raises(RedisError):
                client.ping()
            made.make("own")
            assert client.ping()


@pytest.mark.parametrize("missing", ["ssl_ca_certs", "ssl_certfile"])
@pytest.mark.parametrize("scheme", ["rediss://127.0.0.1:1/0", "rediss+sentinel://127.0.0.1:1/primary"])
def test_a_file_that_is_missing_is_one_line(
    tmp_path: Path, made: Certificates, scheme: str, missing: str
) -> None:
    files = {"ssl_ca_certs": made.ca, "ssl_certfile": made.crt(), "ssl_keyfile": made.key()}
    files[missing] = tmp_path / "absent"
    query = "&".join(f"{name}={path}" for name, path in files.items())
    consumer = ConsumerProcess(tmp_path, f"{scheme}?{query}")
    assert consumer.wait() == 2
    assert consumer.text() == (
        f"consumer: REDIS_URL: {missing}={tmp_path / 'absent'}: no such file or directory\n"
    )


def test_by_sentinels_with_tls_the_primary_is_found_and_a_failover_followed(
    tmp_path: Path, made: Certificates
) -> None:
    with tls_redis.group(tmp_path, made) as (primary, replica, sentinel):
        url = f"rediss+sentinel://127.0.0.1:{sentinel.port}/{tls_redis.NAME}/0?ssl_ca_certs={made.ca}"
        assert queue.wrong_name(url) is None
        assert "know no primary nobody" in str(queue.wrong_name(url.replace(tls_redis.NAME, "nobody")))
        with queue.connect(url) as client:
            assert client.set("fizzbuzz:test", "1")
            assert client.connection_pool.get_master_address() == ("127.0.0.1", primary.port)
            primary.kill()

            def follows() -> bool:
                with suppress(RedisError):
                    return bool(client.set("fizzbuzz:test", "2"))
                return False

            until(follows, 40, "no failover", tmp_path / "sentinel" / "log")
            assert client.connection_pool.get_master_address() == ("127.0.0.1", replica.port)


def test_without_the_ca_sentinels_are_not_asked(tmp_path: Path, made: Certificates) -> None:
    with tls_redis.group(tmp_path, made) as (_, _, sentinel):
        for scheme in ("rediss+sentinel", "redis+sentinel"):
            assert not tls_redis.answers(f"{scheme}://127.0.0.1:{sentinel.port}/{tls_redis.NAME}")
