"""A renewed certificate is used; a wrong one is one line in the log, and the previous one stays."""

import logging
from pathlib import Path

import pytest

from pipeline import certificate
from pipeline.certificate import CertificateError, ServerContext
from pipeline.renewed_files import RenewedFiles
from tests.support.certificates import Certificates

Files = RenewedFiles[ServerContext]


@pytest.fixture
def made(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path)


@pytest.fixture
def files(made: Certificates, caplog: pytest.LogCaptureFixture) -> Files:
    caplog.set_level(logging.INFO)
    pair = made.pair()
    return RenewedFiles(pair.paths, lambda: certificate.server_context(pair))


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]


def test_nothing_is_read_again_while_nothing_changes(files: Files) -> None:
    before = files.value
    assert not files.refresh()
    assert files.value is before


def test_a_renewed_pair_is_used(made: Certificates, files: Files, caplog: pytest.LogCaptureFixture) -> None:
    before = files.value
    made.make()
    assert files.refresh()
    assert files.value is not before
    assert not files.refresh()
    assert [record.getMessage() for record in caplog.records] == ["the certificate was renewed"]


def test_a_pair_that_is_half_written_is_waited_for(
    made: Certificates, files: Files, caplog: pytest.LogCaptureFixture
) -> None:
    made.make("new")
    made.key("new").rename(made.key())
    assert not files.refresh()
    made.crt("new").rename(made.crt())
    assert files.refresh()
    assert errors(caplog) == []


def test_a_wrong_pair_is_one_line_and_the_previous_one_stays(
    made: Certificates, files: Files, caplog: pytest.LogCaptureFixture
) -> None:
    before = files.value
    made.make("new")
    made.key("new").rename(made.key())
    assert not any(files.refresh() for _ in range(5))
    assert files.value is before
    (line,) = errors(caplog)
    assert line == (
        "the renewed certificate is not used, the previous one stays:"
        f" FIZZBUZZ_TLS_KEY={made.key()}: it is not the key of FIZZBUZZ_TLS_CERT={made.crt()}"
    )
    made.make()
    assert files.refresh()


@pytest.mark.parametrize("what", ["expired", "missing"])
def test_an_expired_or_missing_one_is_not_used_either(
    made: Certificates, files: Files, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    before = files.value
    if what == "expired":
        made.make(days=0)
    else:
        made.crt().unlink()
    assert not any(files.refresh() for _ in range(3))
    assert files.value is before
    (line,) = errors(caplog)
    assert ("it expired at" if what == "expired" else "no such file") in line


def test_one_that_is_wrong_for_a_while_is_used_once_it_is_right_though_no_file_changes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "tls.crt"
    file.write_text("first")
    outcomes = iter(["first", *["not valid yet"] * 4, "second"])

    class Loaded:
        not_after_s = 4e9

        def __init__(self) -> None:
            self.text = next(outcomes)
            if self.text == "not valid yet":
                raise CertificateError(self.text)

    files = RenewedFiles([file], Loaded)
    file.write_text("second one")
    assert [files.refresh() for _ in range(6)] == [False] * 4 + [True, False]
    assert files.value.text == "second"
    assert [record.levelname for record in caplog.records].count("ERROR") == 1


def test_one_that_was_not_renewed_in_time_is_one_line(files: Files, caplog: pytest.LogCaptureFixture) -> None:
    after_s = files.value.not_after_s + 1
    for _ in range(3):
        files.refresh(after_s)
    (line,) = errors(caplog)
    assert line.startswith("the certificate expired at 20")
    assert line.endswith("tls.crt")
