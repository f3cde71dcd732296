"""A Flask handler that does nothing, on the gateway's server: what the server and Flask alone can do.

``python -m bench.bare_handler PORT``
"""

import asyncio
import socket
import sys

import uvloop
from flask import Flask

from gateway.server import Server
from gateway.wsgi import WsgiHandler


async def _serve(port: int) -> None:
    app = Flask(__name__)

    @app.post("/messages")
    def messages() -> tuple[dict[str, int], int]:
        return {"accepted": 1}, 202

    listener = socket.create_server(("127.0.0.1", port))
    listener.setblocking(False)
    Server(WsgiHandler(app), listener, 1_000).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
