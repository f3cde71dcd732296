"""Certificates for tests, made by the script that docs/tls.md describes."""

import os
import socket
import ssl
import subprocess
import time
from pathlib import Path

from pipeline.certificate import KeyPair, MutualTls, NamedFile

SCRIPT = Path(__file__).parents[2] / "deploy" / "tls" / "make_test_certificates.sh"


class Certificates:
    """A CA in a folder of its own, and what it signs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ca = folder / "ca.crt"
        self.make()

    def make(self, name: str = "tls", *hosts: str, days: int = 30, purpose: str = "") -> None:
        """Make ``<name>.crt`` and ``<name>.key``, or renew them. With 0 days it is expired on return."""
        environ = {"PATH": os.environ["PATH"], "OUT": name, "DAYS": str(days), "PURPOSE": purpose}
        command = [str(SCRIPT), str(self.folder), *hosts]
        subprocess.run(command, env=environ, check=True, capture_output=True, timeout=60)
        if days == 0:
            time.sleep(1.1)

    def crt(self, name: str = "tls") -> Path:
        return self.folder / f"{name}.crt"

    def key(self, name: str = "tls") -> Path:
        return self.folder / f"{name}.key"

    def pair(self, name: str = "tls") -> KeyPair:
        """As the settings FIZZBUZZ_TLS_CERT and FIZZBUZZ_TLS_KEY."""
        return KeyPair(
            NamedFile("FIZZBUZZ_TLS_CERT", self.crt(name)), NamedFile("FIZZBUZZ_TLS_KEY", self.key(name))
        )

    def mutual(self, name: str = "tls") -> MutualTls:
        return MutualTls(self.pair(name), NamedFile("FIZZBUZZ_TLS_CA", self.ca))

    def https(self, name: str = "tls") -> dict[str, str]:
        """The settings of gateway, web and producer."""
        return {
            "FIZZBUZZ_TLS_CERT": str(self.crt(name)),
            "FIZZBUZZ_TLS_KEY": str(self.key(name)),
            "FIZZBUZZ_TLS_CA": str(self.ca),
        }

    def grpc(self, name: str = "tls") -> dict[str, str]:
        """The settings of gateway and consumer."""
        return {
            "FIZZBUZZ_GRPC_TLS_CERT": str(self.crt(name)),
            "FIZZBUZZ_GRPC_TLS_KEY": str(self.key(name)),
            "FIZZBUZZ_GRPC_TLS_CA": str(self.ca),
        }

    def client(self) -> ssl.SSLContext:
        """What a client verifies a server with."""
        context = ssl.create_default_context(cafile=str(self.ca))
        context.set_alpn_protocols(["h2", "http/1.1"])
        return context

    def shown(self, port: int, client: str = "") -> bytes:
        """The certificate that a new connection sees; ``client`` names the one that it shows itself."""
        context = self.client()
        if client:
            context.load_cert_chain(self.crt(client), self.key(client))
        with (
            socket.create_connection(("127.0.0.1", port), 5) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1") as connection,
        ):
            return connection.getpeercert(binary_form=True) or b""

    def der(self, name: str = "tls") -> bytes:
        """The certificate as a handshake shows it."""
        return ssl.PEM_cert_to_DER_cert(self.crt(name).read_text())
