"""Certificates in files, checked before they are used: a wrong one is one line that names setting and file.

Standard library only: the launcher checks them before anything is installed.
"""

import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pipeline import tls_rehearsal
from pipeline.tls_rehearsal import Role

Now = Callable[[], float]

_ANOTHER_KEY = {"KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED"}
"""OpenSSL's reasons for the key of another certificate; the last one is for a key of another type."""

_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"


class CertificateError(ValueError):
    """A certificate can't be used. The text is one line that names the setting, the file and the cause."""


@dataclass(frozen=True, slots=True)
class NamedFile:
    """A file in PEM, and the setting that names it."""

    setting: str
    path: Path

    def __str__(self) -> str:
        """The file in a message."""
        return f"{self.setting}={self.path}"

    def read(self) -> bytes:
        """Its content. Raises CertificateError."""
        try:
            return self.path.read_bytes()
        except OSError as error:
            raise CertificateError(f"{self}: {(error.strerror or str(error)).lower()}") from None


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate, followed by its intermediate ones, and its private key."""

    certificate: NamedFile
    key: NamedFile

    @property
    def paths(self) -> tuple[Path, ...]:
        """What changes at a renewal."""
        return self.certificate.path, self.key.path


@dataclass(frozen=True, slots=True)
class MutualTls:
    """Who this side is, and the CA that must have signed the certificate of the other side."""

    pair: KeyPair
    ca: NamedFile

    @property
    def paths(self) -> tuple[Path, ...]:
        """What changes at a renewal."""
        return *self.pair.paths, self.ca.path


@dataclass(frozen=True, slots=True)
class ServerContext:
    """What a server's connections are made with."""

    context: ssl.SSLContext
    not_after_s: float
    """When its certificate expires, Unix time."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a side of mutual TLS shows and asks for, in PEM."""

    certificate: bytes
    key: bytes = field(repr=False)
    ca: bytes
    not_after_s: float
    """When its certificate expires, Unix time."""


def server_context(pair: KeyPair, now: Now = time.time) -> ServerContext:
    """The pair for a server of HTTP/1.1. Raises CertificateError."""
    not_after_s = check_pair(pair, "server", now)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    load(context, pair)
    return ServerContext(context, not_after_s)


def credentials(mutual: MutualTls, role: Role, now: Now = time.time) -> Credentials:
    """The files for this role. Raises CertificateError."""
    not_after_s = check_pair(mutual.pair, role, now)
    check_ca(mutual.ca)
    pair = mutual.pair
    return Credentials(pair.certificate.read(), pair.key.read(), mutual.ca.read(), not_after_s)


def check_pair(pair: KeyPair, role: Role, now: Now = time.time) -> float:
    """When the certificate expires, Unix time.

    Raises:
        CertificateError: a file is missing, unreadable or not PEM, the key is that of another certificate, or
            the certificate is expired, not valid yet, or not for this role.
    """
    first = _first_certificate(pair.certificate)
    try:
        begins_s, ends_s = tls_rehearsal.validity(role, lambda context: load(context, pair), first)
    except ssl.SSLCertVerificationError as error:
        why = f"it is not for a {role}: {error.verify_message}"
        raise CertificateError(f"{pair.certificate}: {why}") from None
    except ssl.SSLError as error:
        raise CertificateError(f"{pair.certificate}: it can't be used: {_reason(error)}") from None
    if now() > ends_s:
        raise CertificateError(f"{pair.certificate}: it expired at {moment(ends_s)}")
    if now() < begins_s:
        raise CertificateError(f"{pair.certificate}: it is not valid before {moment(begins_s)}")
    return ends_s


def check_ca(ca: NamedFile) -> None:
    """Raise CertificateError where the file holds no certificate that others could be verified with."""
    ca.read()
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(ca.path)
    except ssl.SSLError:
        raise CertificateError(f"{ca}: it holds no valid certificate in PEM") from None
    except OSError as error:  # it was there a moment ago
        raise CertificateError(f"{ca}: {(error.strerror or str(error)).lower()}") from None


def load(context: ssl.SSLContext, pair: KeyPair) -> None:
    """Load the pair into ``context``. Raises CertificateError."""
    if b"ENCRYPTED" in pair.key.read():
        raise CertificateError(f"{pair.key}: it needs a passphrase, which is not supported")
    try:
        context.load_cert_chain(pair.certificate.path, pair.key.path)
    except ssl.SSLError as error:
        why = "it holds no valid private key in PEM"
        if error.reason in _ANOTHER_KEY:
            why = f"it is not the key of {pair.certificate}"
        raise CertificateError(f"{pair.key}: {why}") from None
    except OSError as error:  # it was there a moment ago
        raise CertificateError(f"{pair.certificate}: {(error.strerror or str(error)).lower()}") from None


def moment(unix_s: float) -> str:
    """A point in time in a message."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(unix_s))


def _first_certificate(file: NamedFile) -> str:
    """The one that is shown to the other side, without its intermediate ones."""
    _, begin, rest = file.read().decode("ascii", "replace").partition(_BEGIN)
    body, end, _ = rest.partition(_END)
    first = f"{begin}{body}{end}\n"
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=first)
    except (ssl.SSLError, ValueError):
        raise CertificateError(f"{file}: it holds no valid certificate in PEM") from None
    return first


def _reason(error: ssl.SSLError) -> str:
    return (error.reason or str(error)).replace("_", " ").lower()
