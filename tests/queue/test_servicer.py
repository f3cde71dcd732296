"""Calls whose arrival times belong to different consumer tags, in one commit."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NoReturn

from rq import Queue
from rq.serializers import JSONSerializer

from consumer.arrival_clock import ArrivalClock
from consumer.enqueuer import Enqueuer
from consumer.servicer import ConsumerServicer
from pipeline.clock import NS_PER_S
from pipeline.queue import keys
from proto import fizzbuzz_pb2 as pb
from tests.support.redis_server import RedisServer
from tests.support.waiting import until


class Context:
    """A caller that waits for long."""

    def time_remaining(self) -> float:
        return 30.0

    def is_active(self) -> bool:
        return True

    def abort(self, code: object, details: str) -> NoReturn:
        raise AssertionError(details)


class SteppingClock:
    """Shows the given seconds, one per reading."""

    def __init__(self, *seconds: int) -> None:
        self._seconds = seconds
        self.readings = 0
        self._lock = threading.Lock()

    def __call__(self) -> int:
        with self._lock:
            self.readings += 1
            return self._seconds[self.readings - 1] * NS_PER_S


def test_calls_before_and_after_a_clock_was_set_back_go_into_jobs_of_their_own_tags(
    own_redis: RedisServer,
) -> None:
    clock = SteppingClock(1_000, 1_001, 500, 501)
    tags = iter(["before", "after"])
    redis = own_redis.client()
    service = ConsumerServicer(
        Enqueuer(redis, "unused", queue_limit=1_000, dedupe_window_s=60),
        ArrivalClock(clock, lambda: next(tags)),
    )
    own_redis.freeze()
    with ThreadPoolExecutor(4) as pool:
        calls: list[Future[Any]] = []
        for number in range(4):
            request = pb.StoreRequest(messages=[pb.Message(run="run-1", number=number, sent_ns=1)])
            calls.append(pool.submit(service.Store, request, Context()))  # type: ignore[arg-type]
            until(lambda: clock.readings == len(calls))
        own_redis.thaw()
        arrived_s = [call.result(20).receipts[0].arrived_ns // NS_PER_S for call in calls]
    assert arrived_s == [1_000, 1_001, 500, 501]
    jobs = Queue(keys.QUEUE, connection=redis, serializer=JSONSerializer).jobs
    payloads = [job.args[0] for job in jobs]
    found = {row[1]: payload["consumer"] for payload in payloads for row in payload["messages"]}
    assert found == {0: "before", 1: "before", 2: "after", 3: "after"}
