"""Answers every POST with 202 after an exact delay: ``python -m bench.trivial_server PORT MS SPREAD``.

The delay of a request is exponentially distributed, from MS on, with a mean of MS + SPREAD milliseconds, so
that its percentiles are known. A thread per connection sleeps in the kernel: event loops round their timers
to a millisecond, and what a client measures would depend on where in it a request falls.
"""

import ctypes
import random
import socket
import sys
import threading
import time

_BODY = b'{"accepted":1,"duplicates":0,"arrived_at":"2026-01-01T00:00:00.000000Z"}'
_HEAD = b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\n"
_ANSWER = _HEAD + b"Content-Length: %d\r\n\r\n" % len(_BODY) + _BODY
_PR_SET_TIMERSLACK = 29
_LENGTH = b"content-length:"


def _serve(client: socket.socket, delay_s: float, spread_s: float) -> None:
    ctypes.CDLL(None).prctl(
        _PR_SET_TIMERSLACK, 1, 0, 0, 0
    )  # nanoseconds; by default a sleep takes 50 µs more
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    rest = b""
    while True:
        head, end, body = rest.partition(b"\r\n\r\n")
        if not end or len(body) < _length(head):
            piece = client.recv(65_536)
            if not piece:
                return
            rest += piece
            continue
        rest = body[_length(head) :]
        until_s = time.monotonic() + delay_s + (random.expovariate(1 / spread_s) if spread_s else 0)
        while (left_s := until_s - time.monotonic()) > 0:
            time.sleep(left_s)
        client.sendall(_ANSWER)


def _length(head: bytes) -> int:
    lines = head.lower().split(b"\r\n")
    return next((int(line[len(_LENGTH) :]) for line in lines if line.startswith(_LENGTH)), 0)


def main(port: int, delay_ms: float, spread_ms: float) -> None:
    listener = socket.create_server(("127.0.0.1", port), backlog=1_024)
    while True:
        client, _ = listener.accept()
        given = (client, delay_ms / 1_000, spread_ms / 1_000)
        threading.Thread(target=_serve, args=given, daemon=True).start()


if __name__ == "__main__":
    main(int(sys.argv[1]), *map(float, sys.argv[2:4]))
