"""The page's server with an application whose response never ends."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tests.support.child_process import PROJECT

_PROGRAM = """
import gevent, json, sys, web.server
from pipeline.listening import listen
from pipeline.settings import read
web.server.STALLED_S = 1.0

class Endless(web.server.Server):
    def load(self):
        return app

def app(environ, start_response):
    start_response("200 OK", [])
    return body()

def body():
    try:
        while True:
            yield b"x" * 65_536
    finally:
        print("closed", flush=True)

port, settings = int(sys.argv[1]), read(json.loads(sys.argv[2]))
Endless(settings, [listen("127.0.0.1", port, "FIZZBUZZ_WEB_PORT")]).run()
"""


@contextmanager
def endless(port: int, log_file: Path, **settings: str) -> Iterator[IO[bytes]]:
    """Cuts off who takes nothing for a second; what it writes is ``closed`` for each response that ends."""
    command = [sys.executable, "-c", _PROGRAM, str(port), json.dumps(settings)]
    with (
        log_file.open("w") as log,
        subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=log) as server,
    ):
        assert server.stdout
        try:
            yield server.stdout
        finally:
            server.terminate()
