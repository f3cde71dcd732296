"""Sends messages to the consumer; requests that wait at the same time in a process share a call.

The only file that knows how calls wait: views call it as if it blocked, and the event loop
keeps running.
"""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

import grpc
from grpc_health.v1 import health_pb2

from gateway import foreign_runs, grpc_errors, metrics
from gateway.consumer_channel import ConsumerChannel
from gateway.greenlets import wait
from gateway.group_commit import GroupCommit, InFlight
from gateway.heartbeat import State
from gateway.problems import Problem
from pipeline import denied_claims
from pipeline.certificate import MutualTls
from pipeline.denied_claims import Claim
from pipeline.message import MAX_BATCH, ClockOffset, Message
from proto import fizzbuzz_pb2 as pb

MIN_CALL_S = 0.25
"""A request with less time left than this is not sent: its call could not finish in time, and its
deadline would apply to all requests of the call."""

MAX_WAITING_MESSAGES = 50_000
"""Maximum messages waiting for a call: about what the consumer persists in one second, in large calls. More
would miss their deadlines."""

HEALTH_TIMEOUT_S = 1.0

IN_FLIGHT = InFlight(burst=12, steady=2)

_ONE_REQUEST_ONLY = frozenset({grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.PERMISSION_DENIED})
"""Errors of a call that one of its requests may have caused."""

Receipts = Sequence[pb.Receipt]


@dataclass(eq=False, slots=True)
class Delivery:
    """The messages of one request. ``deadline_s``: when it must be answered, by ``time.monotonic``."""

    messages: Sequence[Message]
    deadline_s: float
    clock: ClockOffset | None = None
    """The sender's clock offset, if known."""
    owner: str = ""
    """The sender; empty: anonymous."""
    sent: bool = field(default=False, init=False)
    """Whether it was sent in a call: from then on its outcome may be unknown."""

    @property
    def left_s(self) -> float:
        return self.deadline_s - time.monotonic()

    @property
    def claims(self) -> set[Claim]:
        return {(message.run, self.owner) for message in self.messages}


class MessageSink(Protocol):
    """Where the gateway sends messages. Its methods wait: see ``gateway.greenlets``."""

    def store(self, delivery: Delivery) -> Receipts:
        """Persist the messages, all or none, and return a receipt for each. Raises Problem."""

    def ready(self) -> bool:
        """Whether messages are accepted now."""


class ConsumerClient:
    """The consumer at ``address``. Make it in the thread of the loop that it is for."""

    def __init__(self, address: str, tls: MutualTls | None = None) -> None:
        self._channel = ConsumerChannel(address, tls)
        self._calls: GroupCommit[Delivery, Receipts] = GroupCommit(
            self._send,
            weight_of=lambda delivery: len(delivery.messages),
            limit=MAX_BATCH,
            in_flight=IN_FLIGHT,
        )

    def store(self, delivery: Delivery) -> Receipts:
        """Persist the messages, all or none, and return a receipt for each.

        Raises:
            Problem: 409, 422, 429, 503 or 504, as the consumer's answer asks for.
        """
        if self._calls.waiting_weight + len(delivery.messages) > MAX_WAITING_MESSAGES:
            raise grpc_errors.too_busy()
        receipts = self._calls.submit(delivery)
        overdue = receipts.get_loop().call_later(delivery.left_s, receipts.cancel)
        try:
            return wait(receipts)
        except asyncio.CancelledError:
            raise (grpc_errors.no_answer() if delivery.sent else grpc_errors.too_busy()) from None
        except grpc.RpcError as error:
            raise grpc_errors.problem(error) from None
        finally:
            overdue.cancel()

    def ready(self) -> bool:
        """Whether the consumer reports that it and its queue accept messages."""
        request = health_pb2.HealthCheckRequest(service="fizzbuzz.v1.Consumer")
        try:
            answer = wait(self._channel.stubs.health.Check(request, timeout=HEALTH_TIMEOUT_S))  # type: ignore[attr-defined]  # not in its stubs
        except grpc.RpcError:
            return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    async def report(self, name: str, started_ns: int, state: State, timeout_s: float) -> None:
        """Name this service in the metadata of a health check; a failure is not retried."""
        words = (
            ("fizzbuzz-service", name),
            ("fizzbuzz-started-ns", str(started_ns)),
            ("fizzbuzz-state", state),
        )
        request = health_pb2.HealthCheckRequest(service="fizzbuzz.v1.Consumer")
        with suppress(grpc.RpcError):
            await self._channel.stubs.health.Check(request, timeout=timeout_s, metadata=words)  # type: ignore[attr-defined]  # not in its stubs

    async def renew(self) -> None:
        """Use certificates that were renewed on disk, for calls that begin from then on."""
        await self._channel.renew()

    async def close(self) -> None:
        """Close its connections."""
        await self._channel.close()

    def _send(self, deliveries: Sequence[Delivery]) -> list[Receipts | Exception]:
        """The receipts or the error of each delivery."""
        in_time = [delivery.left_s >= MIN_CALL_S for delivery in deliveries]
        outcomes = iter(self._attempt([d for d, can in zip(deliveries, in_time, strict=True) if can]))
        return [next(outcomes) if can else grpc_errors.too_busy() for can in in_time]

    def _attempt(self, deliveries: Sequence[Delivery]) -> Sequence[Receipts | Exception]:
        """Send them in one call; if some of them may be at fault, again without these, or in halves."""
        if not deliveries:
            return []
        try:
            return self._call(deliveries)
        except grpc.aio.AioRpcError as error:
            if len(deliveries) == 1 or error.code() not in _ONE_REQUEST_ONLY:
                return [error] * len(deliveries)
            denied = denied_claims.decode(error.trailing_metadata())
        fates = foreign_runs.share([delivery.claims for delivery in deliveries], denied)
        outcomes = {}
        for call in (foreign_runs.FIRST, foreign_runs.SECOND):
            sent = [delivery for delivery, fate in zip(deliveries, fates, strict=True) if fate == call]
            outcomes[call] = iter(self._send(sent))
        return [fate if isinstance(fate, Problem) else next(outcomes[fate]) for fate in fates]

    def _call(self, deliveries: Sequence[Delivery]) -> list[Receipts]:
        request = _encode(deliveries)
        for delivery in deliveries:
            delivery.sent = True
        metrics.CALL_MESSAGES.observe(len(request.messages))
        with metrics.CALL_SECONDS.time():
            answer = wait(
                self._channel.stubs.consumer.Store(request, timeout=min(d.left_s for d in deliveries))
            )
        receipts = iter(answer.receipts)
        return [[next(receipts) for _ in delivery.messages] for delivery in deliveries]


def _encode(deliveries: Sequence[Delivery]) -> pb.StoreRequest:
    return pb.StoreRequest(
        messages=[
            pb.Message(run=m.run, number=m.number, sent_ns=m.sent_ns, gateway_ns=m.gateway_ns or 0)
            for delivery in deliveries
            for m in delivery.messages
        ],
        clocks=[
            pb.ClockOffset(run=clock.run, offset_ns=clock.offset_ns, error_ns=clock.error_ns)
            for delivery in deliveries
            if (clock := delivery.clock)
        ],
        claims=_claims(deliveries),
    )


def _claims(deliveries: Sequence[Delivery]) -> list[pb.Claim]:
    """The owner of each run; if one delivery names an owner, those of all deliveries of the call."""
    if not any(delivery.owner for delivery in deliveries):
        return []
    claims = {(m.run, delivery.owner): None for delivery in deliveries for m in delivery.messages}
    return [pb.Claim(run=run, owner=owner) for run, owner in claims]
