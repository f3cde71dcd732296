"""A container's health check: ``python -IS healthcheck.py PORT``; exit status 0 where its service is ready.

A service with FIZZBUZZ_TLS_CERT is asked by https, whatever name its certificate has: it is this container's.

A service that does not answer at all, not even to /healthz, for ``SILENT_S`` hangs. It is killed, and since
it was the container's main process, the engine starts the container again. (It runs below an init, because
the kernel protects the first process of a container from signals from inside.) A service that answers "not
ready" is left alone: it lacks what a restart would not provide.
"""

import os
import signal
import socket  # not http.client: to import that takes more processor time than all the rest, every 5 seconds
import sys
import time
from pathlib import Path

TIMEOUT_S = 2.0
LARGEST = 4096
"""Bytes of an answer that are read."""
SILENT_S = 15.0
START_S = 60.0
"""As long as a start may take: until its first answer it is given this time."""
RECORDS = Path("/tmp")  # noqa: S108 - a file system of the container's own, empty at each of its starts


def main(argv: list[str]) -> int:
    """Ask, and print the answer."""
    port = int(argv[1])
    answer = ask(port, "/readyz")
    if answer or ask(port, "/healthz"):  # the checks of /readyz may wait for another service
        _recorded_s("heard")
        (RECORDS / "silent").unlink(missing_ok=True)
        print(answer[1] if answer else "does not answer to /readyz")
        return 0 if answer and answer[0] == 200 else 1
    print("does not answer")
    silent_s = time.monotonic() - _recorded_s("silent")
    if silent_s > (SILENT_S if (RECORDS / "heard").exists() else START_S):
        os.kill(-1, signal.SIGKILL)  # all but the init and this process
    return 1


def ask(port: int, path: str) -> tuple[int, str] | None:
    """Status and first line of the answer; None where there is none."""
    try:
        with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as plain, _secured(plain) as connection:
            connection.sendall(
                f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode()
            )
            answer = b""
            while len(answer) < LARGEST and (received := connection.recv(LARGEST)):
                answer += received
        head, _, body = answer.decode("utf-8", "replace").partition("\r\n\r\n")
        return int(head.split()[1]), body.partition("\n")[0]
    except (OSError, ValueError, IndexError):
        return None


def _secured(plain: socket.socket) -> socket.socket:
    if not os.environ.get("FIZZBUZZ_TLS_CERT"):
        return plain
    import ssl  # only here, for the same reason

    unverified = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    unverified.check_hostname = False
    unverified.verify_mode = ssl.CERT_NONE
    return unverified.wrap_socket(plain)


def _recorded_s(name: str) -> float:
    """When this was recorded first, by the monotonic clock; now, where it was not yet."""
    path = RECORDS / name
    if not path.exists():
        path.write_text(str(time.monotonic()))
    return float(path.read_text())


if __name__ == "__main__":
    sys.exit(main(sys.argv))
