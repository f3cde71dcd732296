"""Limits for each of many keys."""

from gateway.throttle import MAX_KEYS, Throttle


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_a_key_has_its_burst_and_then_what_time_gives_back() -> None:
    clock = Clock()
    throttle = Throttle(per_minute=60, burst=3, clock=clock)
    assert [throttle.acquire("a") for _ in range(3)] == [0, 0, 0]
    assert throttle.acquire("a") == 1
    clock.now_s = 0.5
    assert throttle.acquire("a") == 0.5
    clock.now_s = 1
    assert throttle.acquire("a") == 0
    assert throttle.acquire("a") > 0
    clock.now_s = 1_000
    assert [throttle.acquire("a") == 0 for _ in range(4)] == [True, True, True, False]


def test_keys_do_not_share() -> None:
    throttle = Throttle(per_minute=1, burst=1, clock=Clock())
    assert throttle.acquire("a") == 0
    assert throttle.acquire("b") == 0
    assert throttle.acquire("a") > 0


def test_what_was_refused_costs_nothing() -> None:
    clock = Clock()
    throttle = Throttle(per_minute=60, burst=10, clock=clock)
    assert throttle.acquire("a", 8) == 0
    assert throttle.acquire("a", 5) == 3
    assert throttle.acquire("a", 2) == 0


def test_no_more_keys_are_remembered_than_fit() -> None:
    throttle = Throttle(per_minute=1, burst=1, clock=Clock())
    for number in range(MAX_KEYS + 1):
        throttle.acquire(str(number))
    assert throttle.acquire("0") == 0, "forgotten"
    assert throttle.acquire(str(MAX_KEYS)) > 0
