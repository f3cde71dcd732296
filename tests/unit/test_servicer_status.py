"""Which gRPC status answers what, as the guide of gRPC defines them."""

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import grpc
import pytest
from prometheus_client import REGISTRY

from consumer.arrival_clock import ArrivalClock
from consumer.rejections import ForeignRun, QueueFull, QueueOutOfMemory, QueueUnavailable, QueueUnfit
from consumer.servicer import MAX_OWNER_LENGTH, ConsumerServicer
from pipeline import denied_claims
from pipeline.message import MAX_BATCH, MAX_SENT_NS
from proto import fizzbuzz_pb2 as pb


class Aborted(Exception):
    """What ``abort`` raises, as in gRPC."""


class Context:
    """The caller's side of a call."""

    def __init__(self, left_s: float | None = 30.0, *, active: bool = True) -> None:
        self.code: grpc.StatusCode | None = None
        self.details = ""
        self.trailing: tuple[tuple[str, bytes], ...] = ()
        self._left_s = left_s
        self._active = active

    def time_remaining(self) -> float | None:
        return self._left_s

    def is_active(self) -> bool:
        return self._active

    def set_trailing_metadata(self, metadata: tuple[tuple[str, bytes], ...]) -> None:
        self.trailing = metadata

    def abort(self, code: grpc.StatusCode, details: str) -> NoReturn:
        self.code, self.details = code, details
        raise Aborted


class Receipts:
    """An enqueuer that accepts everything, or raises."""

    def __init__(self, error: Exception | None = None) -> None:
        self._error = error
        self.accepted: list[int] = []

    def accept(self, arrivals: Sequence[Any], *_: object) -> list[Any]:
        if self._error:
            raise self._error
        self.accepted += [arrival.message.number for arrival in arrivals]
        return [Receipt(arrival.arrived_ns) for arrival in arrivals]


class Receipt:
    def __init__(self, arrived_ns: int) -> None:
        self.arrived_ns = arrived_ns
        self.duplicate = False


def request(count: int = 1, **fields: Any) -> pb.StoreRequest:
    messages = [pb.Message(run="run-1", number=number, sent_ns=1) for number in range(count)]
    return pb.StoreRequest(messages=messages, **fields)


def call(made: pb.StoreRequest, context: Context, error: Exception | None = None) -> Any:
    service = ConsumerServicer(Receipts(error), ArrivalClock())  # type: ignore[arg-type]
    return service.Store(made, context)  # type: ignore[arg-type]


def refused(code: str, reason: str) -> float:
    labels = {"status": code, "reason": reason}
    return REGISTRY.get_sample_value("fizzbuzz_consumer_refused_calls_total", labels) or 0.0


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [
        (QueueFull("as many wait as may"), "RESOURCE_EXHAUSTED", "queue_full"),
        (QueueOutOfMemory("no memory left"), "RESOURCE_EXHAUSTED", "queue_memory"),
        (QueueUnavailable("Redis: refused"), "UNAVAILABLE", "queue_unreachable"),
        (QueueUnfit("it evicts"), "UNAVAILABLE", "queue_unfit"),
        (ForeignRun([("run-1", "")]), "PERMISSION_DENIED", "foreign_run"),
    ],
)
def test_each_rejection_has_its_status_and_is_counted_with_its_reason(
    error: Exception, code: str, reason: str
) -> None:
    before = refused(code, reason)
    context = Context()
    with pytest.raises(Aborted):
        call(request(), context, error)
    assert context.code is grpc.StatusCode[code]
    assert context.details == str(error)
    assert refused(code, reason) == before + 1


def test_a_refused_call_is_told_which_of_its_claims_are_denied() -> None:
    context = Context()
    with pytest.raises(Aborted):
        call(request(), context, ForeignRun([("run-1", ""), ("another call's", "a")]))
    assert denied_claims.decode(context.trailing) == {("run-1", "")}


def test_no_time_left_is_a_deadline_exceeded() -> None:
    context = Context(left_s=0.0)
    with pytest.raises(Aborted):
        call(request(), context)
    assert context.code is grpc.StatusCode.DEADLINE_EXCEEDED


@pytest.mark.parametrize("left_s", [None, 30.0])
def test_each_message_has_a_receipt(left_s: float | None) -> None:
    answer = call(request(3), Context(left_s))
    moments = [receipt.arrived_ns for receipt in answer.receipts]
    assert len(set(moments)) == 3
    assert moments == sorted(moments)


def through_the_gateway(gateway_ns: int) -> pb.StoreRequest:
    return pb.StoreRequest(messages=[pb.Message(run="run-1", sent_ns=1, gateway_ns=gateway_ns)])


def _claims(count: int, owner: str = "a") -> list[pb.Claim]:
    return [pb.Claim(run="run-1", owner=owner) for _ in range(count)]


def _clocks(count: int) -> list[pb.ClockOffset]:
    return [pb.ClockOffset(run="run-1", offset_ns=0, error_ns=1) for _ in range(count)]


@pytest.mark.parametrize(
    "make",
    [
        lambda: request(MAX_BATCH),
        lambda: request(clocks=_clocks(MAX_BATCH)),
        lambda: request(claims=_claims(2 * MAX_BATCH)),
        lambda: request(claims=_claims(1, "a" * MAX_OWNER_LENGTH)),
    ],
    ids=["messages", "clocks", "claims", "owner"],
)
def test_as_much_as_is_allowed_is_accepted(make: Callable[[], pb.StoreRequest]) -> None:
    assert call(make(), Context()).receipts


@pytest.mark.parametrize(
    ("make", "details"),
    [
        (lambda: request(0), "messages: 1 to"),
        (lambda: request(MAX_BATCH + 1), "messages: 1 to"),
        (lambda: request(clocks=_clocks(MAX_BATCH + 1)), "clocks: at most"),
        (lambda: request(clocks=[pb.ClockOffset(run="no run")]), "clocks: "),
        (lambda: request(claims=_claims(2 * MAX_BATCH + 1)), "claims: at most"),
        (lambda: request(claims=_claims(1, "a" * (MAX_OWNER_LENGTH + 1))), "claims: an owner"),
        (lambda: pb.StoreRequest(messages=[pb.Message(run="no run", sent_ns=1)]), r"messages[0]: "),
        (lambda: through_the_gateway(-1), "messages[0]: gateway_ns must be"),
        (lambda: through_the_gateway(MAX_SENT_NS + 1), "messages[0]: gateway_ns must be"),
    ],
)
def test_what_is_invalid_is_an_invalid_argument_that_names_the_field(
    make: Callable[[], pb.StoreRequest], details: str
) -> None:
    before = refused("INVALID_ARGUMENT", "invalid")
    context = Context()
    with pytest.raises(Aborted):
        call(make(), context)
    assert context.code is grpc.StatusCode.INVALID_ARGUMENT
    assert context.details.startswith(details)
    assert refused("INVALID_ARGUMENT", "invalid") == before + 1


@pytest.mark.parametrize(
    ("error", "level"), [(QueueFull("full"), "WARNING"), (ForeignRun([("run-1", "")]), None)]
)
def test_only_what_an_operator_can_fix_is_logged(
    error: Exception, level: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(Aborted):
        call(request(), Context(), error)
    assert [record.levelname for record in caplog.records] == ([level] if level else [])


def test_a_call_that_its_caller_gave_up_is_not_committed() -> None:
    enqueuer = Receipts()
    service = ConsumerServicer(enqueuer, ArrivalClock())  # type: ignore[arg-type]
    assert not service.Store(request(), Context(active=False)).receipts  # type: ignore[arg-type]
    assert enqueuer.accepted == []
