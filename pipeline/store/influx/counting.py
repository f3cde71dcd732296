"""Counting: the database's own counts of the messages in ranges of time."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from pipeline.clock import to_ns
from pipeline.store.base import StoreUnavailable
from pipeline.store.influx import flux
from pipeline.store.influx.client import Row
from pipeline.store.influx.data_model import SLICE_NS
from pipeline.store.influx.slice_cache import (
    DAY_NS,
    HOUR_NS,
    LENGTHS_NS,
    PIECE_NS,
    Counted,
    Runs,
    RunSlice,
    Span,
    merge_ranges,
    span_at,
)

Query = Callable[[str], list[Row]]
"""Asks the database in Flux. Raises StoreUnavailable."""

# A full count proceeds in steps that take about this long, so none times out.
_FAST_S, _SLOW_S = 0.25, 1.0
_FACTOR = 4
MAX_FAILURES = 12
"""Steps of a full count that may fail and are tried again, smaller."""


MAX_RANGES = 60
"""Ranges that are counted one by one. Where more of them changed, what lies between two is counted too."""


def count_parts(query: Query, bucket: str, spans: Iterable[Span]) -> Counted:
    """The figures of the parts of ``spans``: a day's hours, an hour's slices, a slice itself.

    All of them at once, however many: totals that lack some of what is stored would be taken for a loss.
    """
    lengths: dict[int, list[Span]] = defaultdict(list)
    for span in spans:
        lengths[span[1] - span[0]].append(span)
    counted: dict[Span, Runs] = {}
    for length_ns, equal in lengths.items():
        wanted = {*equal}
        for start_ns, stop_ns in _ranges(equal):
            found = _count(query, bucket, start_ns, stop_ns, PIECE_NS[length_ns])
            counted |= {part: runs for part, runs in found.items() if span_at(part[0], length_ns) in wanted}
    return counted


def _ranges(spans: Iterable[Span]) -> list[Span]:
    """Ranges that cover the spans. The database answers a few long queries sooner than many short ones."""
    ranges = merge_ranges(spans)
    for gap_ns in LENGTHS_NS:
        if len(ranges) > MAX_RANGES:
            ranges = merge_ranges(ranges, gap_ns)
    return ranges


def count_all(query: Query, bucket: str, now_ns: int) -> Counted:
    """The figures of everything that is stored, in the spans that ``SliceCache.fold`` would produce."""
    times = [time_ns(row["_time"]) for row in query(flux.bounds(bucket))]
    counted: dict[Span, dict[str, RunSlice]] = defaultdict(lambda: defaultdict(RunSlice))
    step_ns, longest_ns, failures = HOUR_NS, flux.END_NS, 0
    for region_ns, end_ns, length_ns in _regions(now_ns) if times else ():
        at_ns, stop_ns = max(region_ns, min(times)), min(end_ns, max(times) + 1)
        while at_ns < stop_ns:
            began_s, next_ns = time.monotonic(), min(at_ns + step_ns, stop_ns)
            try:
                step = _count(query, bucket, at_ns, next_ns, length_ns)
            except StoreUnavailable:
                failures += 1
                if next_ns - at_ns <= SLICE_NS or failures > MAX_FAILURES:
                    raise
                # Perhaps there was too much in it.
                step_ns = longest_ns = max((next_ns - at_ns) // _FACTOR, SLICE_NS)
                continue
            for span, runs in step.items():
                for run, figures in runs.items():
                    counted[span][run].add(figures)
            step_ns = min(_next_step(step_ns, time.monotonic() - began_s), longest_ns)
            at_ns = next_ns
    return {span: dict(runs) for span, runs in counted.items()}


def count_run(query: Query, bucket: str, run: str) -> RunSlice:
    """The figures of one run, all of it."""
    figures = RunSlice()
    for row in query(flux.figures_of_run(bucket, run)):
        figures.add(_slice_of(row))
    return figures


def sizes(query: Query, bucket: str, spans: Iterable[Span]) -> Mapping[Span, Mapping[str, int]]:
    """How many messages each run has in spans of one length, and in those between them."""
    spans = list(spans)
    start_ns, stop_ns = min(spans)[0], max(spans)[1]
    length_ns = spans[0][1] - spans[0][0]
    found: dict[Span, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for row in query(flux.sizes(bucket, start_ns, stop_ns, length_ns)):
        found[span_at(time_ns(row["_start"]), length_ns)][row["run"]] += int(row["_value"])
    return found


def _regions(now_ns: int) -> list[tuple[int, int, int]]:
    """Start, end, and the length of the spans there: the older (or further ahead), the longer."""
    days_ns, _ = span_at(now_ns - DAY_NS, DAY_NS)
    hours_ns, _ = span_at(now_ns - HOUR_NS, HOUR_NS)
    _, ahead_ns = span_at(now_ns + DAY_NS, DAY_NS)
    return [
        (0, days_ns, DAY_NS),
        (days_ns, hours_ns, HOUR_NS),
        (hours_ns, ahead_ns, SLICE_NS),
        (ahead_ns, flux.END_NS, DAY_NS),
    ]


def _next_step(step_ns: int, took_s: float) -> int:
    if took_s > _SLOW_S:
        return max(step_ns // _FACTOR, SLICE_NS)
    return step_ns * _FACTOR if took_s < _FAST_S else step_ns


def _count(
    query: Query, bucket: str, start_ns: int, stop_ns: int, length_ns: int
) -> dict[Span, dict[str, RunSlice]]:
    counted: dict[Span, dict[str, RunSlice]] = defaultdict(lambda: defaultdict(RunSlice))
    for row in query(flux.counts(bucket, start_ns, stop_ns, length_ns)):
        # A window that begins before the range bears the start of the range.
        counted[span_at(time_ns(row["_start"]), length_ns)][row["run"]].add(_slice_of(row))
    return {span: dict(runs) for span, runs in counted.items()}


def _slice_of(row: Row) -> RunSlice:
    """What one row of ``flux.counts`` adds."""
    match row["result"]:
        case "stored":
            return RunSlice(stored=int(row["_value"]))
        case "late":
            return RunSlice(late=int(row["_value"]))
        case "highest":
            return RunSlice(highest=int(row["_value"]))
        case "first":
            return RunSlice(first_arrived_ns=time_ns(row["_time"]))
        case _:
            return RunSlice(last_arrived_ns=time_ns(row["_time"]))


def time_ns(text: str) -> int:
    """Unix nanoseconds of RFC 3339 in UTC, as the server writes it, up to nine digits exactly."""
    moment, _, fraction = text.removesuffix("Z").partition(".")
    return to_ns(datetime.fromisoformat(f"{moment}+00:00")) + int(fraction.ljust(9, "0"))
