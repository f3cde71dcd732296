"""TLS handshakes in memory: what would happen between a server and its client.

Standard library only, whose ssl module shows a certificate only to a peer that has verified it.
"""

import ssl
from collections.abc import Callable
from typing import Any, Literal

Role = Literal["server", "client"]
Load = Callable[[ssl.SSLContext], None]

_NO_CHECK_TIME = ssl.VerifyFlags(0x200000)
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME, for which the ssl module has no name."""

_ROUNDS = 8
"""More than a handshake takes."""


def validity(role: Role, load: Load, certificate: str) -> tuple[float, float]:
    """From when to when a certificate is valid in this role, Unix time.

    Args:
        load: loads certificate and key into a context.
        certificate: the same certificate in PEM: its peer trusts just this one, at any time.

    Raises:
        ssl.SSLError: certificate or key can't be loaded, or not be used in this role.
    """
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), _trusting_client()
    load(server)
    if role == "client":
        load(client)
    peer = client if role == "server" else server
    peer.verify_mode = ssl.CERT_REQUIRED
    peer.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | _NO_CHECK_TIME
    peer.load_verify_locations(cadata=certificate)
    seen = _shake_hands(server, client)[0 if role == "client" else 1].getpeercert() or {}
    return _seconds(seen["notBefore"]), _seconds(seen["notAfter"])


def check_server(load: Load, client: ssl.SSLContext, name: str) -> None:
    """Raise ssl.SSLCertVerificationError where ``client`` does not accept the server under this name."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    load(server)
    _shake_hands(server, client, name)


def _trusting_client() -> ssl.SSLContext:
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    return client


def _shake_hands(
    server: ssl.SSLContext, client: ssl.SSLContext, name: str | None = None
) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """Both sides after the handshake, the server first."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = (
        server.wrap_bio(to_server, to_client, server_side=True),
        client.wrap_bio(to_client, to_server, server_hostname=name),
    )
    for _ in range(_ROUNDS):
        for side in reversed(sides):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return sides


def _seconds(text: Any) -> float:
    return float(ssl.cert_time_to_seconds(str(text)))
