"""A consumer whose machine is gone: its connections stay open, and nothing comes of them."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import grpc

from gateway.consumer_client import ConsumerClient, Delivery
from gateway.problems import Problem
from pipeline import grpc_keepalive
from pipeline.message import Message
from proto import fizzbuzz_pb2 as pb
from proto import fizzbuzz_pb2_grpc as pb_grpc
from tests.support import event_loop
from tests.support.greenlets import run

FOUND_S = (grpc_keepalive.PING_MS + grpc_keepalive.ANSWER_MS) / 1_000 + 3
CALL_S = 0.5
PATIENT_CALL_S = 5.0
"""Where every call must succeed: a short one is refused where a busy machine stands still for a moment."""
PAUSE_S = 0.02


class Servicer(pb_grpc.ConsumerServicer):
    def Store(self, request: pb.StoreRequest, context: grpc.ServicerContext) -> pb.StoreResponse:
        return pb.StoreResponse(receipts=[pb.Receipt(arrived_ns=1) for _ in request.messages])


class Cable:
    """Carries connections to a port, until it is ``cut``: then they stay open, and nothing passes."""

    def __init__(self, port: int) -> None:
        self.cut = threading.Event()
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._ends: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        for one in (self._listener, *self._ends):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                here, _ = self._listener.accept()
                there = socket.create_connection(("127.0.0.1", self._port))
                self._ends += [here, there]
                for source, sink in ((here, there), (there, here)):
                    threading.Thread(target=self._carry, args=(source, sink), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while chunk := source.recv(1 << 16):
                if self.cut.is_set():
                    return
                sink.sendall(chunk)


@contextmanager
def serving() -> Iterator[int]:
    server = grpc.server(ThreadPoolExecutor(4), options=grpc_keepalive.SERVER)
    pb_grpc.add_ConsumerServicer_to_server(Servicer(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield port
    server.stop(None).wait()


def test_calls_avoid_a_consumer_whose_machine_is_gone_and_the_other_one_stays() -> None:
    """For longer than it takes to find it, so that the pings are not too many for the one that lives."""
    outcomes: list[tuple[float, bool]] = []

    async def scenario(lost: Cable, living: int) -> None:
        client = ConsumerClient(f"ipv4:127.0.0.1:{lost.port},127.0.0.1:{living}")
        began_s = time.monotonic()
        while (passed_s := time.monotonic() - began_s) < 2 * FOUND_S:
            if passed_s > 1:
                lost.cut.set()
            left_s = CALL_S if passed_s <= 1 + FOUND_S else PATIENT_CALL_S
            try:
                await run(client.store, Delivery([Message("run", 1, 1)], time.monotonic() + left_s))
                outcomes.append((passed_s, True))
            except Problem:
                outcomes.append((passed_s, False))
            await asyncio.sleep(PAUSE_S)
        await client.close()

    with serving() as port, serving() as living:
        cable = Cable(port)
        try:
            event_loop.run(scenario(cable, living))
        finally:
            cable.close()
    assert not all(accepted for _, accepted in outcomes)
    assert all(accepted for at_s, accepted in outcomes if at_s > 1 + FOUND_S)
