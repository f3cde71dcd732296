"""Requests that share a call of a real gRPC server do not share each other's faults."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from redis import Redis

from gateway.consumer_client import IN_FLIGHT, MAX_WAITING_MESSAGES, ConsumerClient, Delivery, Receipts
from gateway.problems import Problem
from pipeline.message import Message
from proto import fizzbuzz_pb2 as pb
from proto import fizzbuzz_pb2_grpc as pb_grpc
from tests.support import event_loop
from tests.support.counters import counted
from tests.support.greenlets import run
from tests.support.in_process_consumer import Consumer

Store = Callable[[pb.StoreRequest, grpc.ServicerContext], None]


class Servicer(pb_grpc.ConsumerServicer):
    """Answers each message with its number as arrival, after ``check``."""

    def __init__(self) -> None:
        self.calls: list[pb.StoreRequest] = []
        self.left_s: list[float] = []
        self._lock = threading.Lock()
        self.check: Store = lambda request, context: None

    def shared(self) -> tuple[pb.StoreRequest, float]:
        """The newest call of those that ``sharing`` is about, and the time that it had."""
        calls = zip(self.calls, self.left_s, strict=True)
        return [(call, left_s) for call, left_s in calls if all(m.run != "first" for m in call.messages)][-1]

    def Store(self, request: pb.StoreRequest, context: grpc.ServicerContext) -> pb.StoreResponse:
        with self._lock:
            self.calls.append(request)
            self.left_s.append(context.time_remaining() or 0)
        self.check(request, context)
        return pb.StoreResponse(receipts=[pb.Receipt(arrived_ns=m.number) for m in request.messages])


@pytest.fixture
def servicer() -> Servicer:
    return Servicer()


@pytest.fixture
def address(servicer: Servicer) -> Iterator[str]:
    server = grpc.server(ThreadPoolExecutor(16))
    pb_grpc.add_ConsumerServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None).wait()


def delivery(number: int, *, run: str = "run-1", owner: str = "", left_s: float = 60.0) -> Delivery:
    return Delivery([Message(run, number, 1)], time.monotonic() + left_s, owner=owner)


def sharing(deliveries: Sequence[Delivery]) -> list[Delivery]:
    """With as many before them as get a call each, so that these share the next."""
    return [*(delivery(1_000 + n, run="first") for n in range(IN_FLIGHT.burst)), *deliveries]


def together(address: str, deliveries: Sequence[Delivery]) -> list[Receipts | BaseException]:
    """The outcome of each, where all come in one turn of the loop."""

    async def scenario() -> list[Receipts | BaseException]:
        client = ConsumerClient(address)
        try:
            calls = (run(client.store, one) for one in deliveries)
            return await asyncio.gather(*calls, return_exceptions=True)
        finally:
            await client.close()

    return event_loop.run(scenario())


def numbers(outcomes: Sequence[Receipts | BaseException]) -> list[int]:
    """The number of each that was accepted, the status of each that was not."""
    return [
        outcome.status.value if isinstance(outcome, Problem) else outcome[0].arrived_ns  # type: ignore[index]
        for outcome in outcomes
    ]


def test_what_waits_shares_a_call(servicer: Servicer, address: str) -> None:
    assert numbers(together(address, [delivery(n) for n in range(32)])) == list(range(32))
    sizes = sorted(len(call.messages) for call in servicer.calls)
    assert sizes == [1] * IN_FLIGHT.burst + [32 - IN_FLIGHT.burst]


def test_each_message_carries_when_the_gateway_had_it(servicer: Servicer, address: str) -> None:
    known = Delivery([Message("run-1", 0, 1, 2)], time.monotonic() + 60)
    together(address, [known, delivery(1)])
    sent = sorted((m.number, m.sent_ns, m.gateway_ns) for call in servicer.calls for m in call.messages)
    assert sent == [(0, 1, 2), (1, 1, 0)]


@pytest.mark.parametrize(
    ("code", "status"), [(grpc.StatusCode.INVALID_ARGUMENT, 422), (grpc.StatusCode.PERMISSION_DENIED, 409)]
)
def test_only_the_one_at_fault_is_refused(
    servicer: Servicer, address: str, code: grpc.StatusCode, status: int
) -> None:
    def check(request: pb.StoreRequest, context: grpc.ServicerContext) -> None:
        if any(message.number in {3, 11} for message in request.messages):
            context.abort(code, "one is at fault")

    servicer.check = check
    outcomes = numbers(together(address, sharing([delivery(n) for n in range(20)])))[-20:]
    assert outcomes == [status if n in {3, 11} else n for n in range(20)]


def refused(reason: str = "foreign_run") -> float:
    return counted("fizzbuzz_consumer_refused_calls_total", status="PERMISSION_DENIED", reason=reason)


def test_requests_for_runs_of_others_cost_few_calls_however_many_there_are(redis: Redis) -> None:
    consumer = Consumer(redis)
    try:
        theirs = [delivery(n, run=f"{n:064}", owner="k:theirs") for n in range(100)]
        assert numbers(together(consumer.address, theirs))[0] > 0
        before = refused()
        wrong = [delivery(n, run=f"{n:064}", owner="k:mine") for n in range(100)]
        fine = [delivery(n, run="mine", owner="k:mine") for n in range(100)]
        mixed = [one for pair in zip(wrong, fine, strict=True) for one in pair]
        outcomes = together(consumer.address, sharing(mixed))[-200:]
    finally:
        consumer.stop()
    assert set(numbers(outcomes[::2])) == {409}
    assert all(number > 1_000 for number in numbers(outcomes[1::2]))
    assert [str(outcome) for outcome in outcomes[::2]] == [
        f"the run {n:064} belongs to another sender" for n in range(100)
    ]
    assert 1 <= refused() - before <= 4


def test_what_is_nobodys_fault_is_not_sent_again(servicer: Servicer, address: str) -> None:
    servicer.check = lambda _, context: context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "full")
    assert numbers(together(address, [delivery(n) for n in range(32)])) == [429] * 32
    assert len(servicer.calls) == IN_FLIGHT.burst + 1


def test_a_call_has_the_time_that_is_left_for_the_first_of_its_requests(
    servicer: Servicer, address: str
) -> None:
    together(address, sharing([delivery(1, left_s=60), delivery(2, left_s=15), delivery(3, left_s=40)]))
    call, left_s = servicer.shared()
    assert len(call.messages) == 3
    assert 0 < left_s <= 15


def test_what_can_not_be_done_in_time_is_not_sent_and_takes_no_time_from_others(
    servicer: Servicer, address: str
) -> None:
    outcomes = numbers(together(address, sharing([delivery(1, left_s=0.05), delivery(2)])))
    assert outcomes[-2:] == [503, 2]
    assert servicer.shared()[1] > 1


def test_no_answer_in_time_is_504_where_a_call_was_made(servicer: Servicer, address: str) -> None:
    servicer.check = lambda request, context: time.sleep(4)
    assert numbers(together(address, [delivery(1, left_s=2)])) == [504]


def test_more_than_can_be_done_in_time_is_refused_at_once(address: str) -> None:
    messages = [Message("run-1", n, 1) for n in range(1_000)]
    deadline_s = time.monotonic() + 120
    many = [
        Delivery(messages, deadline_s) for _ in range(IN_FLIGHT.burst + MAX_WAITING_MESSAGES // 1_000 + 5)
    ]
    outcomes = together(address, many)
    refused = [outcome for outcome in outcomes if isinstance(outcome, Problem)]
    assert [(problem.status, problem.headers["Retry-After"]) for problem in refused] == [(503, "1")] * 5


def test_claims_name_every_run_and_owner_of_a_shared_call_where_one_has_an_owner(
    servicer: Servicer, address: str
) -> None:
    together(address, sharing([delivery(1), delivery(2, owner="a"), delivery(3, run="run-2")]))
    claims = {(claim.run, claim.owner) for claim in servicer.shared()[0].claims}
    assert claims == {("run-1", ""), ("run-1", "a"), ("run-2", "")}
    together(address, sharing([delivery(1), delivery(2)]))
    call, _ = servicer.shared()
    assert len(call.messages) == 2
    assert not call.claims
