"""Docker mode's copies of certificates, and a real HAProxy that uses renewed ones."""

import logging
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPSConnection
from pathlib import Path

import pytest

from deploy.keep_certificates import Grpc, Page
from tests.support.bare_environment import bare
from tests.support.certificates import Certificates
from tests.support.child_process import PROJECT, ChildProcess
from tests.support.ports import free_port

_CONFIGURATION = """
global
    stats socket {folder}/admin.sock mode 660 level admin
defaults
    mode http
    timeout client 10s
    timeout http-keep-alive 60s
frontend page
    bind 127.0.0.1:{port} ssl crt {folder}/tls.pem alpn http/1.1
    http-request return status 200
"""


@pytest.fixture
def made(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path / "certificates")


@pytest.fixture
def page(made: Certificates, tmp_path: Path) -> Page:
    page = Page(made.pair(), tmp_path / "tls.pem", tmp_path / "admin.sock")
    page.write()
    return page


@contextmanager
def proxy(folder: Path) -> Iterator[int]:
    """An HAProxy with the copy in ``folder``, and its port."""
    if not shutil.which("haproxy"):
        pytest.skip("no haproxy on PATH")
    port, file = free_port(), folder / "haproxy.cfg"
    file.write_text(_CONFIGURATION.format(folder=folder, port=port))
    with ChildProcess(["haproxy", "-db", "-f", str(file)], folder / "haproxy.log").serving(port):
        yield port


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage() for one in caplog.records if one.levelno >= logging.ERROR]


def test_copies_are_for_the_group_and_renewed_once_they_fit_together(
    made: Certificates, tmp_path: Path
) -> None:
    copies = Grpc(made.mutual(), tmp_path)
    copies.write()
    names = ("ca.crt", "tls.crt", "tls.key")
    assert {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in names} == {0o440}
    assert [(tmp_path / name).read_bytes() for name in names] == [
        path.read_bytes() for path in (made.ca, made.crt(), made.key())
    ]
    before = (tmp_path / "tls.key").stat()
    copies.write()
    assert (tmp_path / "tls.key").stat() == before, "what is the same is written again"
    made.make("new")
    made.key("new").rename(made.key())
    copies.refresh()
    assert (tmp_path / "tls.key").stat() == before
    made.crt("new").rename(made.crt())
    copies.refresh()
    assert (tmp_path / "tls.crt").read_bytes() == made.crt().read_bytes()
    assert (tmp_path / "tls.key").read_bytes() == made.key().read_bytes()


def test_the_proxy_uses_a_renewed_certificate_and_closes_no_connection(
    page: Page, made: Certificates, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        proxy(tmp_path) as port,
        closing(HTTPSConnection("127.0.0.1", port, timeout=5, context=made.client())) as stays,
    ):
        stays.request("GET", "/")
        assert stays.getresponse().read() == b""
        first = stays.sock
        for _ in range(3):
            made.make()
            page.refresh()
            assert made.shown(port) == made.der()
        stays.request("GET", "/")
        assert stays.getresponse().status == 200
        assert stays.sock is first
    assert errors(caplog) == []


def test_a_proxy_that_does_not_run_reads_the_renewed_copy_when_it_starts(
    page: Page, made: Certificates, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made.make()
    page.refresh()
    with proxy(tmp_path) as port:
        assert made.shown(port) == made.der()
    assert errors(caplog) == []


def test_a_proxy_that_started_with_the_previous_copy_is_passed_the_renewed_one(
    page: Page, made: Certificates, tmp_path: Path
) -> None:
    with proxy(tmp_path) as port:
        (tmp_path / "admin.sock").rename(tmp_path / "hidden.sock")
        made.make()
        page.refresh()
        assert made.shown(port) != made.der()
        (tmp_path / "hidden.sock").rename(tmp_path / "admin.sock")
        page.refresh()
        assert made.shown(port) == made.der()


@pytest.mark.usefixtures("page")
def test_what_the_proxy_refuses_is_one_line(
    made: Certificates, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with proxy(tmp_path):
        unknown = Page(made.pair(), tmp_path / "unknown.pem", tmp_path / "admin.sock")
        unknown.refresh()
        unknown.refresh()
    (line,) = errors(caplog)
    assert line.startswith("the proxy does not use the renewed certificate: ")


def test_wrong_files_are_one_line(made: Certificates, tmp_path: Path) -> None:
    made.make("other")
    settings = {**made.https(), "FIZZBUZZ_TLS_KEY": str(made.key("other"))}
    done = subprocess.run(
        [sys.executable, "-m", "deploy.keep_certificates", "--once"],
        cwd=PROJECT,
        env={**bare(), **settings},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    wrong = f"FIZZBUZZ_TLS_KEY={made.key('other')}: it is not the key of FIZZBUZZ_TLS_CERT={made.crt()}"
    assert done.stderr == f"certificates: {wrong}\n"
