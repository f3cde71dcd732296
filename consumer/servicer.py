"""The gRPC service: receive, check, stamp the arrival, submit to the group commit."""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NoReturn

import grpc

from consumer import metrics
from consumer.arrival_clock import ArrivalClock, Stamp
from consumer.enqueuer import Enqueuer, Receipt
from consumer.group_commit import GroupCommit
from consumer.rejections import ForeignRun, QueueFull, QueueUnavailable, Rejection
from pipeline import denied_claims
from pipeline.message import (
    MAX_BATCH,
    Arrival,
    ClockOffset,
    InvalidMessage,
    Message,
    check,
    check_run,
)
from proto import fizzbuzz_pb2 as pb
from proto import fizzbuzz_pb2_grpc as pb_grpc

COMMIT_TIMEOUT_S = 5.0
"""How long a call without its own deadline waits for its commit."""

log = logging.getLogger(__name__)

MAX_OWNER_LENGTH = 64

_CLIENT_ERRORS = frozenset({grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.PERMISSION_DENIED})
"""Counted, not logged: any client could fill the log with them."""


Outcome = list[Receipt] | Rejection


@dataclass(frozen=True, slots=True)
class Call:
    """The checked content of one call."""

    consumer: str
    """The tag that its arrival times belong to."""
    arrivals: Sequence[Arrival]
    clocks: Sequence[ClockOffset]
    claims: Sequence[tuple[str, str]]
    """Run and owner of what it sent; an empty owner where nobody claimed a run."""
    is_wanted: Callable[[], bool]
    """Whether the client still waits for the response."""
    time_left_s: Callable[[], float]
    """How long it still waits."""


class ConsumerServicer(pb_grpc.ConsumerServicer):
    """``fizzbuzz.v1.Consumer``. Thread-safe."""

    def __init__(self, enqueuer: Enqueuer, arrival_clock: ArrivalClock) -> None:
        self._arrival_clock = arrival_clock
        self._commits: GroupCommit[Call, Outcome] = GroupCommit(
            lambda calls: commit(enqueuer, calls), weight_of=lambda call: len(call.arrivals), limit=MAX_BATCH
        )

    def Store(self, request: pb.StoreRequest, context: grpc.ServicerContext) -> pb.StoreResponse:
        stamp = self._arrival_clock.stamp(len(request.messages))
        call = _check(request, stamp, context)
        try:
            outcome = self._commits.submit(call, _time_left_s(context))
        except TimeoutError as error:
            _abort(context, grpc.StatusCode.DEADLINE_EXCEEDED, error, "deadline")
        if isinstance(outcome, ForeignRun):
            context.set_trailing_metadata(((denied_claims.KEY, denied_claims.encode(outcome.claims)),))
        if isinstance(outcome, Rejection):
            _abort(context, outcome.code, outcome, outcome.reason)
        return pb.StoreResponse(
            receipts=[pb.Receipt(arrived_ns=r.arrived_ns, duplicate=r.duplicate) for r in outcome]
        )


def _check(request: pb.StoreRequest, stamp: Stamp, context: grpc.ServicerContext) -> Call:
    if not 1 <= len(request.messages) <= MAX_BATCH:
        _invalid(context, f"messages: 1 to {MAX_BATCH} are allowed")
    if len(request.clocks) > MAX_BATCH:
        _invalid(context, f"clocks: at most {MAX_BATCH} are allowed")
    arrivals: list[Arrival] = []
    try:
        clocks = [ClockOffset(check_run(raw.run), raw.offset_ns, raw.error_ns) for raw in request.clocks]
    except InvalidMessage as error:
        _invalid(context, f"clocks: {error}")
    for index, (raw, arrived_ns) in enumerate(zip(request.messages, stamp.times_ns, strict=True)):
        try:
            message = check(Message(raw.run, raw.number, raw.sent_ns, raw.gateway_ns or None))
        except InvalidMessage as error:
            _invalid(context, f"messages[{index}]: {error}")
        arrivals.append(Arrival(message, arrived_ns))
    claims = _claims(request, context)
    return Call(stamp.consumer, arrivals, clocks, claims, context.is_active, lambda: _time_left_s(context))


def _claims(request: pb.StoreRequest, context: grpc.ServicerContext) -> list[tuple[str, str]]:
    """A claim for each run of the call, in the order of the call."""
    runs = dict.fromkeys(raw.run for field in (request.messages, request.clocks) for raw in field)
    if len(request.claims) > 2 * MAX_BATCH:
        _invalid(context, f"claims: at most {2 * MAX_BATCH} are allowed")
    if any(len(claim.owner) > MAX_OWNER_LENGTH for claim in request.claims):
        _invalid(context, f"claims: an owner may have {MAX_OWNER_LENGTH} characters")
    made = dict.fromkeys((claim.run, claim.owner) for claim in request.claims if claim.run in runs)
    claimed = {run for run, _ in made}
    return [*made, *((run, "") for run in runs if run not in claimed)]


def commit(enqueuer: Enqueuer, calls: Sequence[Call]) -> list[Outcome]:
    """Commit all ``calls`` whose clients still wait; returns the outcome of each."""
    wanted = [call.is_wanted() for call in calls]
    live = [call for call, is_wanted in zip(calls, wanted, strict=True) if is_wanted]
    outcomes = (one for group in _groups(live) for one in _commit_group(enqueuer, group))
    return [next(outcomes) if is_wanted else [] for is_wanted in wanted]


def _groups(calls: Sequence[Call]) -> Iterator[list[Call]]:
    """The calls in their order, by commit.

    A job has one consumer tag, which changes where a clock was set. And who owns a run is known only when the
    call that claimed it first is committed.
    """
    group: list[Call] = []
    owners: dict[str, str] = {}
    for call in calls:
        claimed = dict(call.claims)
        agrees = all(owners.get(run, owner) == owner for run, owner in call.claims)
        is_consistent = len(claimed) == len(call.claims)  # it may carry requests of several senders
        if group and not (agrees and is_consistent and call.consumer == group[0].consumer):
            yield group
            group, owners = [], {}
        group.append(call)
        owners |= claimed
        if not is_consistent:
            yield group
            group, owners = [], {}
    if group:
        yield group


def _commit_group(enqueuer: Enqueuer, calls: Sequence[Call]) -> Sequence[Outcome]:
    """One commit; calls that claim another sender's run are left out, and the others retried."""
    if not calls:
        return []
    arrivals = [arrival for call in calls for arrival in call.arrivals]
    clocks = {clock.run: clock for call in calls for clock in call.clocks}
    claims = dict.fromkeys(claim for call in calls for claim in call.claims)
    try:
        with metrics.COMMIT_SECONDS.time():
            receipts = enqueuer.accept(
                arrivals,
                clocks.values(),
                calls[0].consumer,
                claims,
                lambda: max(call.time_left_s() for call in calls),
            )
    except ForeignRun as error:
        rejected = [error.claims.intersection(call.claims) for call in calls]
        valid = [call for call, its in zip(calls, rejected, strict=True) if not its]
        outcomes = iter(_commit_group(enqueuer, valid))
        return [ForeignRun(its) if its else next(outcomes) for its in rejected]
    except (QueueFull, QueueUnavailable) as error:
        return [error] * len(calls)
    metrics.count(arrivals, receipts)
    remaining = iter(receipts)
    return [[next(remaining) for _ in call.arrivals] for call in calls]


def _time_left_s(context: grpc.ServicerContext) -> float:
    left = context.time_remaining()
    return COMMIT_TIMEOUT_S if left is None else max(0.0, min(left, COMMIT_TIMEOUT_S))


def _invalid(context: grpc.ServicerContext, why: str) -> NoReturn:
    _abort(context, grpc.StatusCode.INVALID_ARGUMENT, why, "invalid")


def _abort(context: grpc.ServicerContext, code: grpc.StatusCode, why: object, reason: str) -> NoReturn:
    metrics.REFUSED_CALLS.labels(code.name, reason).inc()
    if code not in _CLIENT_ERRORS:
        log.warning("call rejected: %s", why, extra={"status": code.name})
    context.abort(code, str(why))
    raise AssertionError("abort() always raises")
