"""Keeps copies of certificates in volumes: ``python -m deploy.keep_certificates [--once]``.

The files may be readable by their owner alone, whom this runs as; services in containers run as another user,
in the group of the copies. It checks for renewed files once a second, and copies those that fit together. The
proxy reads files only when it starts, so it is passed renewed ones through its socket.
"""

import logging
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pipeline import certificate, logs, private_file, settings, tls_check
from pipeline.certificate import Credentials, KeyPair, MutualTls
from pipeline.renewed_files import PERIOD_S, RenewedFiles

PAGE = Path("/tls/page/tls.pem")
GRPC = Path("/tls/grpc")
_PROXY = Path("/run/proxy/admin.sock")
_ALIVE = Path("/tmp/alive")  # noqa: S108 - a file system of the container's own; its health check reads this
_GROUP = 0o440
_TIMEOUT_S = 2.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Served:
    """Certificate and key in one file, as HAProxy reads them."""

    pem: str
    not_after_s: float


class Page:
    """What the proxy serves page and API with."""

    def __init__(self, pair: KeyPair, copy: Path = PAGE, proxy: Path = _PROXY) -> None:
        self._pair = pair
        self._copy = copy
        self._proxy = proxy
        self._files = RenewedFiles(pair.paths, self._load)
        self._is_passed = False
        self._error = ""

    def write(self) -> None:
        """Write the copy. Raises OSError."""
        _write(self._copy, self._files.value.pem)

    def refresh(self) -> None:
        """Copy what is renewed, and have the proxy use it, now or as soon as it answers. Raises OSError."""
        if self._files.refresh():
            self.write()
            self._is_passed = False
        if not self._is_passed:
            with suppress(OSError):  # it does not run: it will read the copy when it starts
                self._is_passed = self._pass_on()

    def _load(self) -> _Served:
        not_after_s = certificate.check_pair(self._pair, "server")
        pem = b"\n".join((self._pair.certificate.read(), self._pair.key.read()))
        return _Served(pem.decode("utf-8", "replace"), not_after_s)

    def _pass_on(self) -> bool:
        """Whether the proxy uses the certificate for new connections from now on. Raises OSError."""
        lines = "\n".join(filter(None, self._files.value.pem.splitlines()))  # an empty line would end it
        answers = [
            _ask(self._proxy, command)
            for command in (f"set ssl cert {self._copy} <<\n{lines}\n", f"commit ssl cert {self._copy}")
        ]
        if "Success" in answers[-1]:
            return True
        error = " ".join(" ".join(answers).split())
        if error != self._error:
            log.error("the proxy does not use the renewed certificate: %s", error)
        self._error = error
        return False


class Grpc:
    """What gateway and consumer verify each other with."""

    def __init__(self, mutual: MutualTls, folder: Path = GRPC) -> None:
        self._mutual = mutual
        self._folder = folder
        self._files = RenewedFiles(mutual.paths, self._load)

    def write(self) -> None:
        """Write the copies, which services read once they fit together. Raises OSError."""
        value = self._files.value
        for name, pem in (("ca.crt", value.ca), ("tls.crt", value.certificate), ("tls.key", value.key)):
            _write(self._folder / name, pem.decode("utf-8", "replace"))

    def refresh(self) -> None:
        """Copy what is renewed. Raises OSError."""
        if self._files.refresh():
            self.write()

    def _load(self) -> Credentials:
        certificate.credentials(self._mutual, "client")
        return certificate.credentials(self._mutual, "server")


def main(argv: list[str]) -> None:
    """Copy, and with ``--once`` end; wrong files are one line, exit status 2. Raises OSError."""
    found = settings.load_or_exit("certificates", tls_check.gateway, tls_check.consumer)
    kept = list(_kept(found))
    for one in kept:
        one.write()
    if "--once" in argv:
        return
    logs.setup(found.name, found.log_level)
    while True:
        for one in kept:
            one.refresh()
        _ALIVE.touch()
        time.sleep(PERIOD_S)


def _kept(found: settings.Settings) -> Iterator[Page | Grpc]:
    if found.tls:
        yield Page(found.tls)
    if found.grpc_tls:
        yield Grpc(found.grpc_tls)


def _write(path: Path, pem: str) -> None:
    """Write what differs: services treat what was written as renewed."""
    if not path.exists() or path.read_text(encoding="utf-8") != pem:
        private_file.write(path, pem, _GROUP)


def _ask(path: Path, command: str) -> str:
    """What the proxy answers. Raises OSError."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_TIMEOUT_S)
        connection.connect(str(path))
        connection.sendall(f"{command}\n".encode())
        with connection.makefile(encoding="utf-8", errors="replace") as answer:
            return answer.read()


if __name__ == "__main__":
    main(sys.argv)
