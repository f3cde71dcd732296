"""Files of TLS that each service refuses before it starts."""

from pathlib import Path

import pytest

from pipeline import tls_check
from pipeline.certificate import CertificateError
from pipeline.settings import Settings, read

PAIR = ("FIZZBUZZ_TLS_CERT", "FIZZBUZZ_TLS_KEY")
GRPC = ("FIZZBUZZ_GRPC_TLS_CERT", "FIZZBUZZ_GRPC_TLS_KEY", "FIZZBUZZ_GRPC_TLS_CA")
REDIS = "REDIS_URL: ssl_ca_certs"


def settings(tmp_path: Path, *names: str) -> Settings:
    """With these settings naming a file that holds no certificate."""
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("none\n")
    given = {name: str(wrong) for name in names if name != REDIS}
    if REDIS in names:
        given["REDIS_URL"] = f"rediss://127.0.0.1:6379?ssl_ca_certs={wrong}"
    return read(given)


@pytest.mark.parametrize(
    ("service", "names", "refused"),
    [
        ("gateway", PAIR, "FIZZBUZZ_TLS_CERT"),
        ("gateway", GRPC, "FIZZBUZZ_GRPC_TLS_"),
        ("consumer", GRPC, "FIZZBUZZ_GRPC_TLS_"),
        ("consumer", (REDIS,), REDIS),
        ("worker", (REDIS,), REDIS),
        ("worker", ("INFLUXDB_CA",), "INFLUXDB_CA"),
        ("web", PAIR, "FIZZBUZZ_TLS_CERT"),
        ("web", (REDIS,), REDIS),
        ("web", ("INFLUXDB_CA",), "INFLUXDB_CA"),
        ("producer", ("FIZZBUZZ_TLS_CA",), "FIZZBUZZ_TLS_CA"),
        ("every_service", ("FIZZBUZZ_TLS_CA",), "FIZZBUZZ_TLS_CA"),
        ("every_service", GRPC, "FIZZBUZZ_GRPC_TLS_"),
    ],
)
def test_a_file_without_a_certificate_is_one_line(
    tmp_path: Path, service: str, names: tuple[str, ...], refused: str
) -> None:
    with pytest.raises(CertificateError, match=f"^{refused}.*: it holds no valid certificate") as caught:
        getattr(tls_check, service)(settings(tmp_path, *names))
    assert "\n" not in str(caught.value)


def test_without_tls_nothing_is_refused() -> None:
    tls_check.every_service(read({}))
