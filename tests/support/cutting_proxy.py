"""A proxy before Redis that cuts a connection at the command that a test names."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress


class CuttingProxy:
    """Forwards between clients and a Redis on a Unix socket.

    Args:
        cut: whether a chunk from a client is to be the last of its connection; once it was, all pass.
        delivered: whether Redis still gets that chunk, so that only its answer is lost.
    """

    def __init__(self, redis_socket: str, cut: Callable[[bytes], bool], *, delivered: bool) -> None:
        self.has_cut = threading.Event()
        self._redis_socket = redis_socket
        self._cut = cut
        self._delivered = delivered
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._listener.getsockname()[1]}/0"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as server:
            with suppress(OSError):
                server.connect(self._redis_socket)
            answers = threading.Thread(target=_pump, args=(server, client), daemon=True)
            answers.start()
            with suppress(OSError):
                self._forward(client, server)
            _shut(client)
            _shut(server)
            answers.join()

    def _forward(self, client: socket.socket, server: socket.socket) -> None:
        while chunk := client.recv(1 << 20):
            if not self.has_cut.is_set() and self._cut(chunk):
                self.has_cut.set()
                _shut(client)
                if self._delivered:
                    server.sendall(chunk)
                return
            server.sendall(chunk)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while chunk := source.recv(1 << 20):
            sink.sendall(chunk)
    _shut(sink)


def _shut(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
