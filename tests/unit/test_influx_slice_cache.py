"""The counts by slice: totals that stay right while old slices are folded and late batches come."""

import random
from itertools import pairwise

from pipeline.clock import NS_PER_S
from pipeline.store.influx.slice_cache import (
    DAY_NS,
    HOUR_NS,
    PIECE_NS,
    Counted,
    Runs,
    RunSlice,
    SliceCache,
    Span,
    merge_ranges,
    span_at,
    sums,
)
from tests.support.batches import NOON_NS

MINUTE_NS = 60 * NS_PER_S
DAYS = 20


class Database:
    """Numbers and arrivals, in memory; ``counted`` is what a real one would count of a span."""

    def __init__(self) -> None:
        self.arrivals: list[int] = []

    def counted(self, span: Span) -> Runs:
        found = RunSlice()
        for number, at_ns in enumerate(self.arrivals):
            if span[0] <= at_ns < span[1]:
                found.add(RunSlice(1, number % 3 == 0, number, at_ns, at_ns))
        return {"run-1": found} if found.stored else {}

    def parts(self, span: Span) -> Counted:
        length_ns = PIECE_NS[span[1] - span[0]]
        starts = {span_at(at_ns, length_ns) for at_ns in self.arrivals if span[0] <= at_ns < span[1]}
        return {part: self.counted(part) for part in starts}


def test_memory_grows_by_a_span_a_day_and_totals_stay_right() -> None:
    cache, count = SliceCache(), 0
    for now_ns in range(NOON_NS, NOON_NS + DAYS * DAY_NS, MINUTE_NS):
        count += 1
        cache.replace({cache.span_of(now_ns): {"run-1": RunSlice(1, 0, count - 1, now_ns, now_ns)}}, now_ns)
        cache.fold(now_ns)
    hours, minutes = 48, 180
    assert len(cache.spans) <= DAYS + hours + minutes
    assert cache.totals["run-1"] == RunSlice(count, 0, count - 1, NOON_NS, now_ns)


def test_late_messages_into_folded_spans_are_counted_once() -> None:
    database, cache, dice = Database(), SliceCache(), random.Random(1)
    now_ns = NOON_NS
    for _ in range(900):
        now_ns += dice.randrange(HOUR_NS)
        late_ns = dice.choice((0, 0, HOUR_NS, DAY_NS, 9 * DAY_NS))
        database.arrivals.append(now_ns - late_ns)
        span = cache.span_of(now_ns - late_ns)
        parts = database.parts(span)
        assert sums([span], parts) == {span: database.counted(span)}
        cache.replace(sums([span], parts), now_ns)
        cache.split(parts, now_ns)
        cache.fold(now_ns)
    assert cache.totals == database.counted((0, 2**63))
    assert all(one[1] <= other[0] for one, other in pairwise(sorted(cache.spans)))


def test_late_messages_in_a_row_have_ever_less_counted_for_them() -> None:
    database, cache = Database(), SliceCache()
    database.arrivals = [NOON_NS + minute * MINUTE_NS for minute in range(-180, 180)]
    day = span_at(NOON_NS, DAY_NS)
    cache.replace({day: database.counted(day)}, NOON_NS)
    lengths_ns = []
    for _ in range(3):
        span = cache.span_of(NOON_NS)
        lengths_ns.append(span[1] - span[0])
        cache.split(database.parts(span), NOON_NS + 9 * DAY_NS)
    assert lengths_ns == [DAY_NS, HOUR_NS, MINUTE_NS]
    for later_ns in (1, 61 * NS_PER_S):
        cache.fold(NOON_NS + 9 * DAY_NS + later_ns)
    assert cache.spans == {day: database.counted(day)}


def test_a_span_that_was_just_counted_is_not_folded_yet() -> None:
    cache = SliceCache()
    old = span_at(NOON_NS - 3 * HOUR_NS, MINUTE_NS)
    cache.replace({old: {"run-1": RunSlice(1, 0, 0, old[0], old[0])}}, NOON_NS)
    cache.fold(NOON_NS + 30 * NS_PER_S)
    assert list(cache.spans) == [old]
    cache.fold(NOON_NS + 90 * NS_PER_S)
    assert list(cache.spans) == [span_at(old[0], HOUR_NS)]


def test_less_than_was_known_is_noticed() -> None:
    cache, span = SliceCache(), span_at(NOON_NS, MINUTE_NS)
    known = RunSlice(5, 1, 4, NOON_NS, NOON_NS + 4)
    cache.replace({span: {"run-1": known}}, NOON_NS)
    assert not cache.shrinks({span: {"run-1": RunSlice(6, 1, 5, NOON_NS, NOON_NS + 5)}})
    assert cache.shrinks({span: {}})
    assert cache.shrinks({span: {"run-1": RunSlice(5, 1, 3, NOON_NS, NOON_NS + 4)}})
    assert cache.shrinks({span: {"run-1": RunSlice(4, 1, 4, NOON_NS, NOON_NS + 4)}})


def test_adjacent_spans_are_merged() -> None:
    assert merge_ranges([(20, 30), (0, 10), (10, 20), (40, 50)]) == [(0, 30), (40, 50)]
    assert merge_ranges([(20, 30), (0, 10), (10, 20), (40, 50), (61, 70)], 10) == [(0, 50), (61, 70)]
    assert merge_ranges([]) == []
