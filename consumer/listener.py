"""Where the consumer listens: plain, or by TLS with clients that it verifies."""

import time

import grpc

from pipeline import certificate, essential
from pipeline.certificate import Credentials, MutualTls
from pipeline.renewed_files import PERIOD_S, RenewedFiles


def add_port(server: grpc.Server, address: str, tls: MutualTls | None) -> None:
    """Have ``server`` listen on ``address``. Raises RuntimeError where that is unavailable."""
    if tls is None:
        server.add_insecure_port(address)
        return
    files = RenewedFiles(tls.paths, lambda: certificate.credentials(tls, "server"))
    server.add_secure_port(address, _credentials(files))
    essential.start("certificates", lambda: _follow(files))


def _credentials(files: RenewedFiles[Credentials]) -> grpc.ServerCredentials:
    """Those of the files at each handshake; connections that exist stay as they are."""

    def newest() -> grpc.ServerCertificateConfiguration:
        now = files.value
        return grpc.ssl_server_certificate_configuration([(now.key, now.certificate)], now.ca)

    return grpc.dynamic_ssl_server_credentials(newest(), newest, require_client_authentication=True)


def _follow(files: RenewedFiles[Credentials]) -> None:
    while True:
        time.sleep(PERIOD_S)
        files.refresh()
