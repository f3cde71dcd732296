"""The gRPC service: receive, check, stamp the arrival, hand on to the group commit."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

import grpc

from consumer import metrics
from consumer.arrival import Arrivals
from consumer.intake import Intake, QueueFull, QueueUnavailable, Receipt
from pipeline.batcher import Batcher
from pipeline.message import (
    MAX_BATCH,
    Arrival,
    ClockDifference,
    InvalidMessage,
    Message,
    check,
    check_run,
)
from proto import fizzbuzz_pb2 as pb
from proto import fizzbuzz_pb2_grpc as pb_grpc

COMMIT_TIMEOUT_S = 5.0
"""How long a call without a deadline of its own waits for its commit."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Call:
    """What one call brought, checked."""

    arrivals: Sequence[Arrival]
    clocks: Sequence[ClockDifference]


class ConsumerService(pb_grpc.ConsumerServicer):
    """``fizzbuzz.v1.Consumer``. Thread-safe."""

    def __init__(self, intake: Intake, arrivals: Arrivals) -> None:
        self._arrivals = arrivals
        self._commits: Batcher[_Call, list[Receipt]] = Batcher(
            lambda calls: _commit(intake, calls), weigh=lambda call: len(call.arrivals), limit=MAX_BATCH
        )

    def Store(self, request: pb.StoreRequest, context: grpc.ServicerContext) -> pb.StoreResponse:
        moments = self._arrivals.take(len(request.messages))
        call = _check(request, moments, context)
        try:
            receipts = self._commits.submit(call, _time_left_s(context))
        except QueueFull as error:
            _refuse(context, grpc.StatusCode.RESOURCE_EXHAUSTED, error)
        except QueueUnavailable as error:
            _refuse(context, grpc.StatusCode.UNAVAILABLE, error)
        except TimeoutError as error:
            _refuse(context, grpc.StatusCode.DEADLINE_EXCEEDED, error)
        return pb.StoreResponse(
            receipts=[pb.Receipt(arrived_ns=r.arrived_ns, duplicate=r.duplicate) for r in receipts]
        )


def _check(request: pb.StoreRequest, moments: Sequence[int], context: grpc.ServicerContext) -> _Call:
    if not 1 <= len(request.messages) <= MAX_BATCH:
        _refuse(context, grpc.StatusCode.INVALID_ARGUMENT, f"messages: 1 to {MAX_BATCH} are allowed")
    arrivals: list[Arrival] = []
    try:
        clocks = [ClockDifference(check_run(raw.run), raw.offset_ns, raw.error_ns) for raw in request.clocks]
    except InvalidMessage as error:
        _refuse(context, grpc.StatusCode.INVALID_ARGUMENT, f"clocks: {error}")
    for index, (raw, arrived_ns) in enumerate(zip(request.messages, moments, strict=True)):
        try:
            message = check(Message(raw.run, raw.number, raw.sent_ns, raw.gateway_ns or None))
        except InvalidMessage as error:
            _refuse(context, grpc.StatusCode.INVALID_ARGUMENT, f"messages[{index}]: {error}")
        arrivals.append(Arrival(message, arrived_ns))
    return _Call(arrivals, clocks)


def _commit(intake: Intake, calls: Sequence[_Call]) -> list[list[Receipt]]:
    """One commit for all ``calls``, and each call's receipts."""
    arrivals = [arrival for call in calls for arrival in call.arrivals]
    clocks = {clock.run: clock for call in calls for clock in call.clocks}
    with metrics.COMMIT_SECONDS.time():
        receipts = intake.accept(arrivals, clocks.values())
    metrics.count(arrivals, receipts)
    remaining = iter(receipts)
    return [[next(remaining) for _ in call.arrivals] for call in calls]


def _time_left_s(context: grpc.ServicerContext) -> float:
    left = context.time_remaining()
    return COMMIT_TIMEOUT_S if left is None else max(0.0, min(left, COMMIT_TIMEOUT_S))


def _refuse(context: grpc.ServicerContext, code: grpc.StatusCode, why: object) -> NoReturn:
    metrics.REFUSED_CALLS.labels(code.name).inc()
    if code is not grpc.StatusCode.INVALID_ARGUMENT:
        log.warning("call refused: %s", why, extra={"status": code.name})
    context.abort(code, str(why))
    raise AssertionError("abort() always raises")
