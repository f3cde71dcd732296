"""Each way in which a certificate can be wrong is one line that names the setting, the file and the cause."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from pipeline import certificate
from pipeline.certificate import CertificateError, KeyPair, NamedFile
from pipeline.tls_rehearsal import Role
from tests.support.certificates import SCRIPT, Certificates

DAY_S = 86_400.0


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    made = Certificates(tmp_path_factory.mktemp("certificates"))
    made.make("other")
    made.make("client", purpose="clientAuth")
    made.make("expired", days=0)
    folder = made.folder
    for command in (
        "openssl genrsa -out rsa.key 2048",
        "openssl pkey -in tls.key -aes256 -passout pass:geheim -out encrypted.key",
        "openssl req -x509 -newkey rsa:2048 -nodes -keyout self.key -days 3 -subj /CN=x -out self.crt",
    ):
        subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    (folder / "chain.crt").write_bytes(made.crt().read_bytes() + made.ca.read_bytes())
    (folder / "junk").write_text("junk\n")
    (folder / "binary").write_bytes(bytes(range(256)))
    (folder / "broken.crt").write_text("-----BEGIN CERTIFICATE-----\nabcd\n-----END CERTIFICATE-----\n")
    (folder / "broken.key").write_text("-----BEGIN PRIVATE KEY-----\nabcd\n-----END PRIVATE KEY-----\n")
    return made


def pair(folder: Path, crt: str, key: str) -> KeyPair:
    return KeyPair(NamedFile("CERT", folder / crt), NamedFile("KEY", folder / key))


@pytest.mark.parametrize(
    ("crt", "key", "line"),
    [
        ("absent", "tls.key", "CERT={}/absent: no such file or directory"),
        ("tls.crt", "absent", "KEY={}/absent: no such file or directory"),
        (".", "tls.key", "CERT={}: is a directory"),
        ("junk", "tls.key", "CERT={}/junk: it holds no valid certificate in PEM"),
        ("binary", "tls.key", "CERT={}/binary: it holds no valid certificate in PEM"),
        ("broken.crt", "tls.key", "CERT={}/broken.crt: it holds no valid certificate in PEM"),
        ("tls.key", "tls.crt", "CERT={}/tls.key: it holds no valid certificate in PEM"),
        ("tls.crt", "junk", "KEY={}/junk: it holds no valid private key in PEM"),
        ("tls.crt", "broken.key", "KEY={}/broken.key: it holds no valid private key in PEM"),
        ("tls.crt", "other.key", "KEY={}/other.key: it is not the key of CERT={}/tls.crt"),
        ("tls.crt", "rsa.key", "KEY={}/rsa.key: it is not the key of CERT={}/tls.crt"),
        ("tls.crt", "encrypted.key", "KEY={}/encrypted.key: it needs a passphrase, which is not supported"),
        ("client.crt", "client.key", "CERT={}/client.crt: it is not for a server: "),
    ],
)
def test_what_is_wrong_is_one_line(made: Certificates, crt: str, key: str, line: str) -> None:
    with pytest.raises(CertificateError) as caught:
        certificate.check_pair(pair(made.folder, crt, key), "server")
    assert str(caught.value).startswith(line.replace("{}", str(made.folder)))
    assert "\n" not in str(caught.value)


def test_an_unreadable_file_is_named(made: Certificates, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)  # root may read everything
    with pytest.raises(CertificateError, match=r"^FIZZBUZZ_TLS_CERT=.*/tls\.crt: permission denied$"):
        certificate.check_pair(made.pair(), "server")


def test_an_expired_one_is_refused_with_its_date(made: Certificates) -> None:
    with pytest.raises(CertificateError, match=r"/expired\.crt: it expired at 20\d\d-\d\d-\d\dT[\d:]{8}Z$"):
        certificate.check_pair(made.pair("expired"), "server")


@pytest.mark.parametrize(("days", "line"), [(31, "it expired at"), (-1, "it is not valid before")])
def test_it_is_checked_by_the_clock(made: Certificates, days: int, line: str) -> None:
    now_s = time.time() + days * DAY_S
    with pytest.raises(CertificateError, match=line):
        certificate.server_context(made.pair(), lambda: now_s)


@pytest.mark.parametrize("role", ["server", "client"])
def test_a_good_one_says_when_it_expires(made: Certificates, role: Role) -> None:
    expires_s = certificate.check_pair(made.pair(), role)
    assert abs(expires_s - time.time() - 30 * DAY_S) < 600


def test_those_that_lead_to_its_ca_may_follow(made: Certificates) -> None:
    assert certificate.check_pair(pair(made.folder, "chain.crt", "tls.key"), "server") > time.time()


def test_one_that_signed_itself_may_be_used(made: Certificates) -> None:
    assert certificate.check_pair(pair(made.folder, "self.crt", "self.key"), "server") > time.time()


def test_one_for_clients_is_for_clients(made: Certificates) -> None:
    assert certificate.check_pair(made.pair("client"), "client") > time.time()


@pytest.mark.parametrize("name", ["junk", "tls.key", "absent"])
def test_a_ca_without_a_certificate_is_one_line(made: Certificates, name: str) -> None:
    with pytest.raises(CertificateError, match=rf"^CA=.*/{name}: (it holds no valid|no such file)"):
        certificate.check_ca(NamedFile("CA", made.folder / name))


def test_a_ca_that_goes_away_while_it_is_checked_is_one_line(
    made: Certificates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ca, read_bytes = tmp_path / "ca.crt", Path.read_bytes
    ca.write_bytes(made.ca.read_bytes())

    def read_for_the_last_time(path: Path) -> bytes:
        content = read_bytes(path)
        path.unlink()
        return content

    monkeypatch.setattr(Path, "read_bytes", read_for_the_last_time)
    with pytest.raises(CertificateError, match=r"^CA=.*/ca\.crt: no such file or directory$"):
        certificate.check_ca(NamedFile("CA", ca))


def test_mutual_tls_has_what_grpc_needs(made: Certificates) -> None:
    found = certificate.credentials(made.mutual(), "client")
    assert (found.certificate, found.ca) == (made.crt().read_bytes(), made.ca.read_bytes())
    assert "PRIVATE" not in repr(found)


def test_certificates_are_made_in_the_folder_that_is_named_whatever_cdpath_says(tmp_path: Path) -> None:
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    for folder in (here, elsewhere / "certs"):
        folder.mkdir(parents=True)
    environ = {"PATH": os.environ["PATH"], "CDPATH": str(elsewhere)}
    subprocess.run([str(SCRIPT), "certs"], cwd=here, env=environ, check=True, capture_output=True)
    assert (here / "certs" / "tls.crt").exists()
    assert list((elsewhere / "certs").iterdir()) == []
