"""A container's health check: ``python -IS healthcheck.py PORT``; exit status 0 where its service is ready.

A service with FIZZBUZZ_TLS_CERT is asked by https, whatever name its certificate has: it is this container's.

A service that does not answer at all, not even to /healthz, for ``SILENT_S`` hangs. It is killed, and since
it was the container's main process, the engine starts the container again. (It runs below an init, because
the kernel protects the first process of a container from signals from inside.) A service that answers "not
ready" is left alone: it lacks what a restart would not provide.
"""

import os
import signal
import ssl
import sys
import time
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path

TIMEOUT_S = 2.0
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
    connection = _connection(port)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read(500).decode("utf-8", "replace").partition("\n")[0]
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()


def _connection(port: int) -> HTTPConnection:
    if not os.environ.get("FIZZBUZZ_TLS_CERT"):
        return HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    unverified = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    unverified.check_hostname = False
    unverified.verify_mode = ssl.CERT_NONE
    return HTTPSConnection("127.0.0.1", port, timeout=TIMEOUT_S, context=unverified)


def _recorded_s(name: str) -> float:
    """When this was recorded first, by the monotonic clock; now, where it was not yet."""
    path = RECORDS / name
    if not path.exists():
        path.write_text(str(time.monotonic()))
    return float(path.read_text())


if __name__ == "__main__":
    sys.exit(main(sys.argv))
