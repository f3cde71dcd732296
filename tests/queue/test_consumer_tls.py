"""The consumer by mutual TLS: who may call, certificates that are renewed while calls run, and wrong ones."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import grpc
import pytest

from tests.support.certificates import Certificates
from tests.support.consumer_process import ConsumerProcess, code_of, store
from tests.support.redis_server import RedisServer
from tests.support.waiting import until

Start = Callable[..., ConsumerProcess]
OPTIONS = (("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0))


@pytest.fixture
def made(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path / "certificates")


@pytest.fixture
def stranger(tmp_path: Path) -> Certificates:
    """Signed by another CA."""
    return Certificates(tmp_path / "stranger")


@pytest.fixture
def start(shared_redis: RedisServer, tmp_path: Path) -> Iterator[Start]:
    started: list[ConsumerProcess] = []

    def begin(**settings: str) -> ConsumerProcess:
        started.append(ConsumerProcess(tmp_path, shared_redis.url, **settings))
        return started[-1]

    yield begin
    for consumer in started:
        consumer.kill()


@pytest.fixture
def consumer(start: Start, made: Certificates) -> ConsumerProcess:
    process = start(**made.grpc())
    process.wait_ready()
    return process


def channel(
    consumer: ConsumerProcess, ca: Certificates, client: Certificates | None, name: str = "tls"
) -> grpc.Channel:
    """A client that trusts ``ca`` and shows a certificate of ``client``."""
    shown = (client.key(name).read_bytes(), client.crt(name).read_bytes()) if client else (None, None)
    credentials = grpc.ssl_channel_credentials(ca.ca.read_bytes(), *shown)
    return grpc.secure_channel(f"127.0.0.1:{consumer.port}", credentials, OPTIONS)


def test_a_client_with_a_certificate_of_the_ca_is_served(
    consumer: ConsumerProcess, made: Certificates
) -> None:
    made.make("client", purpose="clientAuth")
    with closing(channel(consumer, made, made, "client")) as by_tls:
        assert len(store(by_tls, 1, 2).result().receipts) == 2


@pytest.mark.parametrize("client", ["none", "stranger", "for servers only", "plain"])
def test_any_other_client_is_refused(
    consumer: ConsumerProcess, made: Certificates, stranger: Certificates, client: str
) -> None:
    made.make("server", purpose="serverAuth")
    other = {
        "none": lambda: channel(consumer, made, None),
        "stranger": lambda: channel(consumer, made, stranger),
        "for servers only": lambda: channel(consumer, made, made, "server"),
        "plain": consumer.channel,
    }[client]()
    with closing(other):
        assert code_of(store(other, 3, timeout_s=20)) is grpc.StatusCode.UNAVAILABLE
    with closing(channel(consumer, made, made)) as by_tls:
        assert store(by_tls, 4).result().receipts


def test_a_client_that_knows_another_ca_does_not_trust_it(
    consumer: ConsumerProcess, made: Certificates, stranger: Certificates
) -> None:
    with closing(channel(consumer, stranger, made)) as by_tls:
        assert code_of(store(by_tls, 5, timeout_s=20)) is grpc.StatusCode.UNAVAILABLE


def test_a_renewed_certificate_is_shown_to_new_connections_and_old_ones_go_on(
    consumer: ConsumerProcess, made: Certificates
) -> None:
    with closing(channel(consumer, made, made)) as before:
        assert store(before, 10).result().receipts
        assert made.shown(consumer.port, "tls") == made.der()
        made.make()
        until(
            lambda: made.shown(consumer.port, "tls") == made.der(), 10, "the renewed certificate is not shown"
        )
        assert store(before, 11).result().receipts
        with closing(channel(consumer, made, made)) as after:
            assert store(after, 12).result().receipts


def test_a_wrong_renewal_is_one_line_and_the_previous_certificate_stays(
    consumer: ConsumerProcess, made: Certificates
) -> None:
    before = made.der()
    made.make("other")
    made.crt("other").rename(made.crt())  # its key is not replaced
    until(lambda: "not the key of" in consumer.text(), 10, "no line")
    time.sleep(2.5)
    (line,) = [one["message"] for one in consumer.log() if one["level"] == "error"]
    assert line == (
        "the renewed certificate is not used, the previous one stays:"
        f" FIZZBUZZ_GRPC_TLS_KEY={made.key()}: it is not the key of FIZZBUZZ_GRPC_TLS_CERT={made.crt()}"
    )
    made.make("client")
    assert made.shown(consumer.port, "client") == before


@pytest.mark.parametrize("what", ["missing", "expired", "key", "ca"])
def test_it_does_not_start_with_a_wrong_one(start: Start, made: Certificates, what: str) -> None:
    settings = made.grpc()
    if what == "missing":
        made.crt().unlink()
        line = f"FIZZBUZZ_GRPC_TLS_CERT={made.crt()}: no such file or directory"
    elif what == "expired":
        made.make(days=0)
        line = f"FIZZBUZZ_GRPC_TLS_CERT={made.crt()}: it expired at 20"
    elif what == "key":
        made.make("other")
        settings |= {"FIZZBUZZ_GRPC_TLS_KEY": str(made.key("other"))}
        line = f"FIZZBUZZ_GRPC_TLS_KEY={made.key('other')}: it is not the key of"
    else:
        made.ca.write_text("none\n")
        line = f"FIZZBUZZ_GRPC_TLS_CA={made.ca}: it holds no valid certificate in PEM"
    assert start(**settings).refusal().startswith(f"consumer: {line}")


def test_it_needs_all_three_settings(start: Start, made: Certificates) -> None:
    consumer = start(FIZZBUZZ_GRPC_TLS_CERT=str(made.crt()))
    assert consumer.wait() == 2
    assert consumer.text() == (
        "consumer: FIZZBUZZ_GRPC_TLS_CERT needs FIZZBUZZ_GRPC_TLS_KEY and FIZZBUZZ_GRPC_TLS_CA too\n"
    )
