"""A server that answers every POST with 202 after a set delay: ``python -m bench.trivial_server PORT MS``."""

import asyncio
import sys
from typing import cast

import httptools
import uvloop

_BODY = b'{"accepted":1,"duplicates":0,"arrived_at":"2026-01-01T00:00:00.000000Z"}'
_HEAD = b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\n"
_ANSWER = _HEAD + b"Content-Length: %d\r\n\r\n" % len(_BODY) + _BODY


class _Connection(asyncio.Protocol):
    def __init__(self, delay_s: float) -> None:
        self._delay_s = delay_s
        self._parser = httptools.HttpRequestParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        if self._delay_s:
            asyncio.get_running_loop().call_later(self._delay_s, self._transport.write, _ANSWER)
        else:
            self._transport.write(_ANSWER)


async def _serve(port: int, delay_s: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(delay_s), "127.0.0.1", port, backlog=1_024)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1]), float(sys.argv[2]) / 1_000))
