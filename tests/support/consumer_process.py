"""A real consumer for tests, as its own process."""

import time
from pathlib import Path
from typing import Any

import grpc

from proto import fizzbuzz_pb2 as pb
from proto import fizzbuzz_pb2_grpc as pb_grpc
from tests.support.ports import free_port
from tests.support.service_process import ServiceProcess
from tests.support.waiting import until

PATIENCE_S = 20.0


class ConsumerProcess(ServiceProcess):
    """``python -m consumer``, which has started."""

    def __init__(self, directory: Path, redis_url: str, **settings: str) -> None:
        self.port = free_port()
        given = {"FIZZBUZZ_GRPC_PORT": str(self.port), "REDIS_URL": redis_url, **settings}
        super().__init__("consumer", directory, **given)
        self.start()

    def channel(self) -> grpc.Channel:
        """A connection of its own; close it."""
        options = (("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0))
        return grpc.insecure_channel(f"127.0.0.1:{self.port}", options=options)

    def wait_ready(self) -> None:
        until(lambda: self.ready, PATIENCE_S, "the consumer is not ready", self.log_file)


def store(channel: grpc.Channel, *numbers: int, timeout_s: float = 5.0, run: str = "run-1") -> Any:
    """A call that is under way; its ``result()`` is the answer."""
    messages = [pb.Message(run=run, number=number, sent_ns=time.time_ns()) for number in numbers]
    return pb_grpc.ConsumerStub(channel).Store.future(pb.StoreRequest(messages=messages), timeout=timeout_s)


def reached(channel: grpc.Channel) -> None:
    """Wait until the consumer has begun every call, and knows every cancellation, that came before this one.

    It takes what comes over a connection in its order, and refuses an empty call at once.
    """
    assert code_of(store(channel, timeout_s=60)) is grpc.StatusCode.INVALID_ARGUMENT


def code_of(call: Any) -> grpc.StatusCode:
    """With which status the call ended."""
    code: grpc.StatusCode = call.code()
    return code
