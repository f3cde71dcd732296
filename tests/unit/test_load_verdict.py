"""The checker: its verdict on a run agrees with the rows, number by number."""

import random
import tracemalloc

import pytest

from load import verdict
from load.ledger import Ledger
from load.numbers import Numbers
from load.rows import Unreadable
from load.verdict import INVALID, UNDECIDED, VALID, check
from load.verification import PATIENCE_S, verify

ARRIVED_US = 1_767_225_600_000_000


def ledger(acknowledged: int, *, batch: int = 1) -> Ledger:
    """``acknowledged`` messages from 0 on, each request with an arrival of its own."""
    made = Ledger(batch)
    for first in range(0, acknowledged, batch):
        made.sent(first, batch)
        made.acknowledged(first, batch, ARRIVED_US + first)
    return made


def rows(numbers: range) -> list[tuple[int, int]]:
    """As a database holds them: nanoseconds that an answer cuts to microseconds."""
    return [(number, (ARRIVED_US + number) * 1_000 + 789) for number in numbers]


def test_all_that_was_acknowledged_is_there() -> None:
    found = check(ledger(100), rows(range(100)))
    assert (found.acknowledged, found.stored, found.compared) == (100, 100, 100)
    assert found.agrees
    assert found.verdict == VALID


def test_sets_are_compared_not_totals() -> None:
    """900 acknowledged, 100 without an answer, 910 rows: totals agree, and yet 50 are lost."""
    sent = ledger(900)
    sent.sent(900, 100)
    found = check(sent, rows(range(50, 960)))
    assert found.stored == 910
    assert found.lost == Numbers(50, ((0, 49),))
    assert found.recovered == Numbers(60, ((900, 959),))
    assert found.verdict == INVALID


def test_a_row_that_was_never_sent_is_unexpected() -> None:
    sent = ledger(10)
    sent.sent(20, 1)
    found = check(sent, [*rows(range(10)), *rows(range(15, 16)), (2**53 - 1, 0)])
    assert found.unexpected == Numbers(2, ((15, 15), (2**53 - 1, 2**53 - 1)))
    assert found.verdict == INVALID


def test_a_second_row_is_duplicated_and_not_moved() -> None:
    found = check(ledger(5), [*rows(range(5)), (3, 0), (3, 1)])
    assert found.duplicated == Numbers(2, ((3, 3),))
    assert found.moved.count == 0
    assert found.verdict == INVALID


def test_another_arrival_than_the_answer_had_is_moved() -> None:
    stored = rows(range(5))
    stored[2] = (2, stored[2][1] + 1_000)
    found = check(ledger(5), stored)
    assert found.moved == Numbers(1, ((2, 2),))
    assert found.verdict == INVALID


def test_an_answer_has_the_arrival_of_the_first_of_its_batch() -> None:
    found = check(ledger(20, batch=10), [(number, (ARRIVED_US + number) * 1_000 + 5) for number in range(20)])
    assert found.compared == 2
    assert check(ledger(20, batch=10), [(number, 0) for number in range(20)]).moved.count == 2


def test_refused_and_later_acknowledged_is_acknowledged() -> None:
    sent = Ledger()
    sent.sent(0)
    sent.refused(0)
    sent.acknowledged(0, 1, ARRIVED_US)
    found = check(sent, rows(range(1)))
    assert (found.acknowledged, found.refused, found.recovered.count) == (1, 0, 0)


def test_nothing_acknowledged_is_not_valid() -> None:
    sent = Ledger()
    sent.sent(0, 3)
    assert check(sent, []).verdict == INVALID
    assert verdict.verdict(None) == UNDECIDED
    assert verdict.EXIT_STATUS == {VALID: 0, INVALID: 1, UNDECIDED: 3}


def test_a_million_messages_are_checked_exactly() -> None:
    count = 1_000_000
    sent = Ledger()
    sent.sent(0, count)
    for first in range(0, count, 1_000):
        sent.acknowledged(first, 1_000)
    chance = random.Random(1)
    lost = sorted(chance.sample(range(count), 777))
    missing = set(lost)
    stored = [number for number in range(count) if number not in missing]
    chance.shuffle(stored)
    found = check(sent, ((number, 0) for number in stored))
    assert found.lost == Numbers.of(lost)
    assert (found.stored, found.duplicated.count) == (count - 777, 0)


def test_what_is_known_of_a_message_takes_a_byte_and_eight_a_request() -> None:
    messages, batch = 100_000, 100
    tracemalloc.start()
    try:
        known = Ledger(batch)
        for first in range(0, messages, batch):
            known.sent(first, batch)
            known.acknowledged(first, batch, first)
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [known.arrived_us(number) for number in (0, 100, 101)] == [0, 100, None]
    assert used < 1.5 * (messages + 8 * messages / batch)


def test_many_intervals_are_counted_and_the_first_are_listed() -> None:
    numbers = Numbers.of(range(0, 5_000, 2), kept=3)
    assert numbers == Numbers(2_500, ((0, 0), (2, 2), (4, 4)))
    assert Numbers.of([3, 7, 8, 9, 20]).text() == "3, 7–9, 20"
    assert numbers.text(2) == "0, 2 … 2,498 more"


class Clock:
    """A clock that only a sleep moves."""

    def __init__(self) -> None:
        self.s = 0.0

    def now(self) -> float:
        return self.s

    def sleep(self, seconds: float) -> None:
        self.s += seconds


def test_the_database_is_read_until_it_agrees() -> None:
    clock = Clock()
    found = verify(
        ledger(10),
        lambda run: iter(rows(range(10 if clock.s > 5 else 4))),
        "run",
        now_s=clock.now,
        sleep=clock.sleep,
    )
    assert found.verdict == VALID
    assert 5 < found.took_s < 6


def test_what_is_not_there_after_30_seconds_is_lost() -> None:
    clock = Clock()
    found = verify(ledger(10), lambda run: iter(rows(range(9))), "run", now_s=clock.now, sleep=clock.sleep)
    assert found.verdict == INVALID
    assert PATIENCE_S <= found.took_s < PATIENCE_S + 1


def test_a_message_without_an_answer_is_waited_for_while_rows_come() -> None:
    clock = Clock()
    sent = ledger(10)
    sent.sent(10, 2)
    found = verify(
        sent,
        lambda run: iter(rows(range(10 + (clock.s > 0.5)))),
        "run",
        now_s=clock.now,
        sleep=clock.sleep,
    )
    assert found.findings
    assert found.findings.recovered.count == 1
    assert found.took_s < 3


@pytest.mark.parametrize(("back_at_s", "verdict"), [(10, VALID), (99, UNDECIDED)])
def test_a_database_that_cannot_be_read_decides_nothing(back_at_s: float, verdict: str) -> None:
    clock = Clock()

    def read(run: str) -> "list[tuple[int, int]]":
        if clock.s < back_at_s:
            raise Unreadable("unavailable")
        return rows(range(10))

    found = verify(ledger(10), lambda run: iter(read(run)), "run", now_s=clock.now, sleep=clock.sleep)
    assert found.verdict == verdict
    assert found.error == (None if verdict == VALID else "unavailable")
