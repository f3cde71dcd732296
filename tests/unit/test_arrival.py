from contextvars import copy_context
from typing import Any

from consumer.arrival import Arrivals

ANY_CALL: Any = None  # its details make no difference


class Calls:
    """Calls that reach a server, each in a context of its own as gRPC has it, at the times given."""

    def __init__(self, *reached_ns: int) -> None:
        readings = iter(reached_ns)
        self._arrivals = Arrivals(lambda: next(readings))
        self._contexts = [copy_context() for _ in reached_ns]
        for context in self._contexts:
            context.run(self._arrivals.intercept_service, lambda details: details, ANY_CALL)

    def take(self, call: int, count: int) -> list[int]:
        return list(self._contexts[call].run(self._arrivals.take, count))


def test_the_arrival_is_when_the_call_reached_the_server_not_when_a_thread_took_it() -> None:
    calls = Calls(100, 200)
    assert calls.take(0, 1) == [100]
    assert calls.take(1, 3) == [200, 201, 202]


def test_no_moment_is_given_twice_even_when_the_clock_is_set_back() -> None:
    calls = Calls(100, 100, 50, 300)
    assert [calls.take(0, 3), calls.take(1, 1), calls.take(2, 2), calls.take(3, 1)] == [
        [100, 101, 102],
        [103],
        [104, 105],
        [300],
    ]


def test_calls_that_threads_took_in_another_order_still_get_rising_moments() -> None:
    calls = Calls(100, 200)
    assert calls.take(1, 1) == [200]
    assert calls.take(0, 2) == [201, 202]
