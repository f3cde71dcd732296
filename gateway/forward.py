"""Hands messages on to the consumer; requests that wait together in a process share a call."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn, Protocol

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from gateway import metrics
from gateway.problems import Problem
from pipeline.batcher import Batcher
from pipeline.message import MAX_BATCH, ClockDifference, Message
from proto import fizzbuzz_pb2 as pb
from proto import fizzbuzz_pb2_grpc as pb_grpc

CALL_TIMEOUT_S = 4.0
WAIT_TIMEOUT_S = 5.0
"""A request is answered in this time, whatever happens behind the gateway."""

HEALTH_TIMEOUT_S = 1.0
RETRY_AFTER_S = 1

LANES = 12
"""Calls under way at a time in a process before further requests wait and share one: a burst of ten need
not wait. Measured on an idle 2-core machine, mean from sent to arrival: 4.4 ms, with 4 lanes 5.2 ms."""

CROWDED_LANES = 4
"""The same under a steady load, where larger calls pay: 1,160 requests a second against 630 with 16."""

_OPTIONS = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.enable_retries", 0),  # the sender repeats, and knows that it does
    ("grpc.service_config", '{"loadBalancingConfig": [{"round_robin": {}}]}'),
)

Receipts = Sequence[pb.Receipt]


@dataclass(frozen=True, slots=True)
class _Request:
    messages: Sequence[Message]
    clock: ClockDifference | None


class Forward(Protocol):
    """Where messages go from here."""

    def store(self, messages: Sequence[Message], clock: ClockDifference | None = None) -> Receipts:
        """Make ``messages`` safe, all or none. Raises Problem."""

    def ready(self) -> bool:
        """Whether messages are accepted now."""


class ConsumerClient:
    """The consumer at ``address``, over one channel. Make it after a fork, never before. Thread-safe."""

    def __init__(self, address: str) -> None:
        self._channel = grpc.insecure_channel(address, options=_OPTIONS)
        self._consumer = pb_grpc.ConsumerStub(self._channel)
        self._health = health_pb2_grpc.HealthStub(self._channel)
        self._calls: Batcher[_Request, Receipts] = Batcher(
            self._call,
            weigh=lambda request: len(request.messages),
            limit=MAX_BATCH,
            lanes=LANES,
            crowded_lanes=CROWDED_LANES,
        )

    def store(self, messages: Sequence[Message], clock: ClockDifference | None = None) -> Receipts:
        """Make ``messages`` safe, all or none; ``clock`` is what their sender knows of its clock.

        Raises:
            Problem: 422, 429, 503 or 504, as the consumer's answer asks for.
        """
        try:
            return self._calls.submit(_Request(messages, clock), WAIT_TIMEOUT_S)
        except grpc.RpcError as error:
            _raise_problem(error)
        except TimeoutError:
            raise _no_answer() from None

    def ready(self) -> bool:
        """Whether the consumer says that it and its queue accept messages."""
        request = health_pb2.HealthCheckRequest(service="fizzbuzz.v1.Consumer")
        try:
            answer = self._health.Check(request, timeout=HEALTH_TIMEOUT_S)  # type: ignore[attr-defined]  # not in its stubs
        except grpc.RpcError:
            return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    def _call(self, requests: Sequence[_Request]) -> list[Receipts]:
        messages = [_encode(message) for request in requests for message in request.messages]
        clocks = [_encode_clock(request.clock) for request in requests if request.clock]
        metrics.CALL_MESSAGES.observe(len(messages))
        with metrics.CALL_SECONDS.time():
            answer = self._consumer.Store(
                pb.StoreRequest(messages=messages, clocks=clocks), timeout=CALL_TIMEOUT_S
            )
        receipts = iter(answer.receipts)
        return [[next(receipts) for _ in request.messages] for request in requests]


def _encode(message: Message) -> pb.Message:
    return pb.Message(
        run=message.run, number=message.number, sent_ns=message.sent_ns, gateway_ns=message.gateway_ns or 0
    )


def _encode_clock(clock: ClockDifference) -> pb.ClockDifference:
    return pb.ClockDifference(run=clock.run, offset_ns=clock.offset_ns, error_ns=clock.error_ns)


def _raise_problem(error: grpc.RpcError) -> NoReturn:
    code, detail = error.code(), error.details() or ""
    if code is grpc.StatusCode.INVALID_ARGUMENT:
        raise Problem(422, detail) from None
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        raise _later(429, f"the queue is full: {detail}") from None
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        raise _no_answer() from None
    raise _later(503, f"the consumer is away: {code.name}: {detail}") from None


def _later(status: int, detail: str) -> Problem:
    return Problem(status, detail, headers={"Retry-After": str(RETRY_AFTER_S)})


def _no_answer() -> Problem:
    return Problem(504, "the consumer gave no answer in time; the messages may have been accepted: repeat")
