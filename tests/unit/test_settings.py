from pathlib import Path

import pytest

from pipeline.declaration import SettingsError
from pipeline.settings import load_or_exit, read, received_by, unknown


def test_the_defaults_are_those_of_the_documentation() -> None:
    settings = read({})
    assert (settings.bind, settings.web_port, settings.gateway_port, settings.grpc_port) == (
        "127.0.0.1",
        5000,
        8000,
        50051,
    )
    assert (settings.rate, settings.burst, settings.burst_span_ms) == (1, 10, 100)
    assert (settings.store, settings.influx.org, settings.influx.bucket) == (
        "sqlite",
        "fizzbuzz",
        "messages",
    )
    assert settings.gateway_url == "http://127.0.0.1:8000"
    assert (settings.queue_limit, settings.redis_memory_bytes) == (1_000_000, 512 * 1024**2)


@pytest.mark.parametrize("bind", ["127.0.0.1", "0.0.0.0", "::"])
def test_what_checks_no_token_stays_on_the_loopback_wherever_the_rest_listens(bind: str) -> None:
    settings = read({"FIZZBUZZ_BIND": bind})
    assert (settings.grpc_bind, settings.metrics_bind) == ("127.0.0.1", "127.0.0.1")
    assert settings.consumer_address == "127.0.0.1:50051"


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("8000000", 8_000_000),
        ("16mb", 16 * 1024**2),
        ("16m", 16_000_000),
        ("1GB", 1024**3),
        ("9000kb", 9_216_000),
    ],
)
def test_memory_is_written_as_redis_has_it(text: str, size: int) -> None:
    assert read({"FIZZBUZZ_REDIS_MEMORY": text}).redis_memory_bytes == size


def test_an_empty_value_counts_as_absent() -> None:
    assert read({"FIZZBUZZ_WEB_PORT": " ", "INFLUXDB_ORG": ""}) == read({})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FIZZBUZZ_BIND", "999.1.1.1"),
        ("FIZZBUZZ_BIND", "localhost"),
        ("FIZZBUZZ_WEB_PORT", "abc"),
        ("FIZZBUZZ_WEB_PORT", "0"),
        ("FIZZBUZZ_GATEWAY_PORT", "65536"),
        ("FIZZBUZZ_GRPC_PORT", "-1"),
        ("FIZZBUZZ_INFLUX_PORT", "1.5"),
        ("FIZZBUZZ_HOSTS", "https://page.example"),
        ("FIZZBUZZ_HOSTS", "page.example, *.example"),
        ("FIZZBUZZ_RATE", "-1"),
        ("FIZZBUZZ_RATE", "nan"),
        ("FIZZBUZZ_BURST", "0"),
        ("FIZZBUZZ_BURST_SPAN_MS", "soon"),
        ("FIZZBUZZ_STORE", "mysql"),
        ("FIZZBUZZ_GATEWAY_URL", "gateway:8000"),
        ("FIZZBUZZ_GATEWAY_URL", "ftp://gateway"),
        ("FIZZBUZZ_GATEWAY_URL", "http://"),
        ("FIZZBUZZ_GATEWAY_URL", "http://[::1"),
        ("FIZZBUZZ_GATEWAY_URL", "http://gateway:http"),
        ("FIZZBUZZ_QUEUE_LIMIT", "0"),
        ("FIZZBUZZ_REDIS_MEMORY", "much"),
        ("FIZZBUZZ_REDIS_MEMORY", "0"),
        ("FIZZBUZZ_REDIS_MEMORY", "1mb"),
        ("FIZZBUZZ_REDIS_MEMORY", "512 tb"),
        ("REDIS_URL", "http://127.0.0.1"),
        ("INFLUXDB_URL", "127.0.0.1:8086"),
        ("INFLUXDB_TOKEN_FILE", "/nowhere/token"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        read({name: value})


@pytest.mark.parametrize("url", ["https://gateway", "http://[::1]:8000/", "HTTP://gateway"])
def test_a_valid_address_of_the_gateway_is_accepted(url: str) -> None:
    assert read({"FIZZBUZZ_GATEWAY_URL": url}).gateway_url == url


@pytest.mark.parametrize("url", ["https://:geheim@redis", "redis://:geheim/2@redis:6379"])
def test_the_address_of_redis_is_not_repeated_in_errors(url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read({"REDIS_URL": url})
    assert "geheim" not in str(caught.value)


def test_a_process_with_a_setting_that_makes_no_sense_ends_with_one_line_and_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FIZZBUZZ_RATE", "often")
    with pytest.raises(SystemExit) as end:
        load_or_exit("worker")
    assert end.value.code == 2
    assert capsys.readouterr().err == "worker: FIZZBUZZ_RATE=often: must be a number from 0 to 100\n"


def test_hosts_are_names_in_the_spelling_that_requests_are_compared_by() -> None:
    assert read({}).hosts == ()
    text = " Page.Example:8443, 192.0.2.7 ,2001:DB8:0::7,[2001:db8::8]:80,, pipeline."
    assert read({"FIZZBUZZ_HOSTS": text}).hosts == (
        "page.example",
        "192.0.2.7",
        "2001:db8::7",
        "2001:db8::8",
        "pipeline",
    )


def test_a_secret_may_lie_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t0ken\n")
    settings = read({"INFLUXDB_TOKEN_FILE": str(tmp_path / "token")})
    assert settings.influx.token == "t0ken"


def test_secrets_do_not_show_where_settings_are_printed() -> None:
    secrets = {
        "FIZZBUZZ_API_TOKEN": "geheim-0123456789",
        "INFLUXDB_TOKEN": "geheim",
        "REDIS_URL": "redis://:geheim@r",
    }
    assert "geheim" not in repr(read(secrets))


def test_services_reach_each_other_where_they_listen_on_every_address() -> None:
    settings = read(
        {"FIZZBUZZ_BIND": "0.0.0.0", "FIZZBUZZ_GRPC_BIND": "0.0.0.0", "FIZZBUZZ_GRPC_PORT": "6000"}
    )
    assert settings.gateway_url == "http://127.0.0.1:8000"
    assert settings.consumer_address == "127.0.0.1:6000"


def test_an_address_may_be_one_of_ipv6() -> None:
    settings = read({"FIZZBUZZ_BIND": "::", "FIZZBUZZ_GRPC_BIND": "::"})
    assert settings.gateway_url == "http://[::1]:8000"
    assert settings.consumer_address == "[::1]:50051"


def test_a_service_receives_what_it_needs_and_no_secret_of_another() -> None:
    given = {
        "FIZZBUZZ_RATE": "2",
        "REDIS_URL": "redis://:p@h",
        "INFLUXDB_TOKEN_FILE": "/t",
        "FIZZBUZZ_HOSTILE": "1",
    }
    assert received_by("producer", given) == {"FIZZBUZZ_RATE": "2"}
    assert received_by("worker", given) == {"REDIS_URL": "redis://:p@h", "INFLUXDB_TOKEN_FILE": "/t"}
    assert received_by("gateway", given) == {}


def test_an_unknown_name_is_reported_with_the_nearest_known_one() -> None:
    assert unknown(["FIZZBUZZ_RAET", "FIZZBUZZ_RATE", "FIZZBUZZ_API_TOKEN_FILE", "PATH"]) == {
        "FIZZBUZZ_RAET": "FIZZBUZZ_RATE"
    }


@pytest.mark.parametrize("rate", ["1e-310", "5e-324", "0.0000099"])
def test_a_rate_whose_first_burst_would_never_come_is_refused(rate: str) -> None:
    with pytest.raises(SettingsError, match=f"^FIZZBUZZ_RATE={rate}: must be 0, or a number from 0.00001 to"):
        read({"FIZZBUZZ_RATE": rate}, "x")
    assert read({"FIZZBUZZ_RATE": "0.00001"}, "x").burst_span_ms == 100


@pytest.mark.parametrize(
    ("rate", "span", "refused"),
    [
        ("2", "500", False),
        ("2", "501", True),
        ("20", "", False),
        ("0", "60000", False),
        ("0.5", "2001", True),
    ],
)
def test_a_burst_may_take_no_longer_than_until_the_next_one(rate: str, span: str, refused: bool) -> None:
    given = {"FIZZBUZZ_RATE": rate, "FIZZBUZZ_BURST_SPAN_MS": span}
    if refused:
        with pytest.raises(SettingsError, match=rf"^FIZZBUZZ_BURST_SPAN_MS={span}.* FIZZBUZZ_RATE={rate}"):
            read(given, "x")
    else:
        assert read(given, "x").burst_span_ms == int(span or 50)


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"FIZZBUZZ_TLS_CERT": "/c"}, "FIZZBUZZ_TLS_CERT needs FIZZBUZZ_TLS_KEY too"),
        ({"FIZZBUZZ_TLS_KEY": "/k"}, "FIZZBUZZ_TLS_KEY needs FIZZBUZZ_TLS_CERT too"),
        (
            {"FIZZBUZZ_GRPC_TLS_CA": "/a"},
            "FIZZBUZZ_GRPC_TLS_CA needs FIZZBUZZ_GRPC_TLS_CERT and FIZZBUZZ_GRPC_TLS_KEY too",
        ),
    ],
)
def test_a_part_of_what_tls_needs_is_refused(given: dict[str, str], line: str) -> None:
    with pytest.raises(SettingsError, match=f"^{line}$"):
        read(given)


def test_without_certificates_there_is_no_tls() -> None:
    settings = read({})
    assert (settings.tls, settings.grpc_tls, settings.influx.ca) == (None, None, None)
    assert settings.gateway_url == "http://127.0.0.1:8000"


def test_with_a_certificate_the_producer_finds_the_gateway_by_https() -> None:
    settings = read({"FIZZBUZZ_TLS_CERT": "/c", "FIZZBUZZ_TLS_KEY": "/k"})
    assert settings.gateway_url == "https://127.0.0.1:8000"
