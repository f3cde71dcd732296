"""The figures of all runs, kept in step with the database.

Writers leave a marker of the slices that they change, at the server's time; each read asks for the markers
since the last read and has those slices counted. All clocks but the server's may be wrong. Changes without a
marker, such as deleted data, are found by comparing sizes, some spans at a time.
"""

from collections.abc import Mapping, Set

from pipeline.clock import NS_PER_S
from pipeline.store.figures import RunFigures
from pipeline.store.influx import counting, flux
from pipeline.store.influx.counting import Query
from pipeline.store.influx.data_model import SLICE_NS
from pipeline.store.influx.slice_cache import HOUR_NS, REST_NS, SliceCache, Span, sums

LOOKBACK_NS = 20 * NS_PER_S
"""A write's marker may become visible this long after its own time, and its points after it. So a read asks
for markers from this long before the last read, and counts their slices each time. Longer than a write may
take (``client.TIMEOUT_MS``): one that takes longer is repeated, with a new marker."""

MAX_GAP_NS = 600 * NS_PER_S
"""After a longer pause, or a step of the server's clock, everything is counted."""

CHECK_EVERY_NS = 5 * NS_PER_S
CHECK_MESSAGES = 2_000_000
"""Messages whose number is compared at each check: 20 ms of the server's time."""


class ChangeReader:
    """Follows the messages in ``bucket``. Serves as a store's cursor."""

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket
        self._cache: SliceCache | None = None
        self._last_read_ns = 0
        self._pending: list[int] = []
        self._unchecked: list[Span] = []
        self._checked_ns = 0
        self._folded_ns = 0

    def read(self, query: Query) -> list[RunFigures]:
        """The figures of the runs that changed since the last call, at the first call of all runs.

        A run of which nothing is left has 0 stored. Raises StoreUnavailable; then nothing was applied,
        and the next call returns all that this one would have.
        """
        now_ns, named = self._read_markers(query)
        cache = self._cache
        in_step = -LOOKBACK_NS < now_ns - self._last_read_ns < MAX_GAP_NS
        if cache is None or not in_step or not all(map(str.isdecimal, named)):
            return self._count_all(query, now_ns)
        moments = (*self._pending, *(int(start_s) * NS_PER_S for start_s in named))
        spans = set(map(cache.span_of, moments))
        parts = counting.count_parts(query, self._bucket, spans)
        counted = sums(spans, parts)
        risen, fallen = self._check(query, cache, now_ns, spans)
        if fallen or cache.shrinks(counted):
            return self._count_all(query, now_ns)
        self._last_read_ns = now_ns
        self._pending = [start_ns for start_ns, _ in risen]
        figures = cache.replace(counted, now_ns)
        cache.split(parts, now_ns)
        self._fold(cache, now_ns)
        return figures

    def _read_markers(self, query: Query) -> tuple[int, set[str]]:
        """The server's clock, and the slices named by the markers since the last read."""
        since_ns = self._last_read_ns - LOOKBACK_NS if self._last_read_ns else flux.END_NS - 1
        now_ns = 0
        named: set[str] = set()
        for row in query(flux.changes(self._bucket, since_ns)):
            if row["result"] == "now":
                now_ns = int(row["_value"])
            else:
                named |= set(row["_value"].split())
        return now_ns, named

    def _count_all(self, query: Query, now_ns: int) -> list[RunFigures]:
        cache = SliceCache()
        cache.replace(counting.count_all(query, self._bucket, now_ns), now_ns)
        changed = cache.differing(self._cache or SliceCache())
        self._cache = cache
        self._last_read_ns = self._checked_ns = now_ns
        self._pending, self._unchecked = [], []
        return changed

    def _check(
        self, query: Query, cache: SliceCache, now_ns: int, counted: Set[Span]
    ) -> tuple[list[Span], bool]:
        """Which spans besides ``counted`` hold more than is known, and whether any holds less."""
        if 0 <= now_ns - self._checked_ns < CHECK_EVERY_NS:
            return [], False
        self._checked_ns = now_ns
        if not self._unchecked:
            recent = {cache.span_of(now_ns - ago_ns) for ago_ns in range(0, HOUR_NS, SLICE_NS)}
            self._unchecked = sorted({*cache.spans, *recent})
        spans = self._next_to_check(cache, counted)
        found = counting.sizes(query, self._bucket, spans) if spans else {}
        known = {span: _sizes(cache, span) for span in spans}
        risen = [span for span in spans if _exceeds(found.get(span, {}), known[span])]
        return risen, any(_exceeds(known[span], found.get(span, {})) for span in spans)

    def _next_to_check(self, cache: SliceCache, counted: Set[Span]) -> list[Span]:
        """The newest spans not yet checked, of one length."""
        spans: list[Span] = []
        messages = 0
        while self._unchecked and messages < CHECK_MESSAGES:
            span = self._unchecked[-1]
            if spans and span[1] - span[0] != spans[0][1] - spans[0][0]:
                break
            self._unchecked.pop()
            if span not in counted and cache.span_of(span[0]) == span:
                spans.append(span)
                messages += sum(_sizes(cache, span).values())
        return spans

    def _fold(self, cache: SliceCache, now_ns: int) -> None:
        if not 0 <= now_ns - self._folded_ns < REST_NS:
            self._folded_ns = now_ns
            cache.fold(now_ns)


def _sizes(cache: SliceCache, span: Span) -> Mapping[str, int]:
    return {run: figures.stored for run, figures in cache.spans.get(span, {}).items()}


def _exceeds(some: Mapping[str, int], others: Mapping[str, int]) -> bool:
    return any(count > others.get(run, 0) for run, count in some.items())
