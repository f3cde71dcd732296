"""The counts of each slice of time, and the figures of all runs computed from them.

Arrivals are cut into slices of ``SLICE_NS``. A slice that changed in any way is counted by the
database again, which replaces its earlier count: nothing is counted twice, and the cost does not grow
with what is stored. Slices of past hours are folded into the hour, hours of past days into the day, so the
memory grows by one span a day. After a late message its day is counted by the hour, then its hour by the
slice; further late messages there cost no more than usual, until no more arrive and the day is folded.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from pipeline.clock import NS_PER_S
from pipeline.store.figures import RunFigures
from pipeline.store.influx.data_model import SLICE_NS

HOUR_NS = 3_600 * NS_PER_S
DAY_NS = 24 * HOUR_NS

LENGTHS_NS = (SLICE_NS, HOUR_NS, DAY_NS)
"""Each is a multiple of the one before. A span of one of them starts at a multiple of its length."""

PIECE_NS = {SLICE_NS: SLICE_NS, HOUR_NS: SLICE_NS, DAY_NS: HOUR_NS}
"""The length of the pieces in which a span is counted, by the length of the span."""

REST_NS = 60 * NS_PER_S
"""A span is folded once it was not counted for this long, so several late batches in a row stay cheap."""

Span = tuple[int, int]
"""A range of arrivals ``[start, end)``, Unix nanoseconds."""


@dataclass(slots=True)
class RunSlice:
    """One run in one span, or in all of them."""

    stored: int = 0
    late: int = 0
    highest: int = -1
    first_arrived_ns: int = 2**63 - 1
    last_arrived_ns: int = 0

    def add(self, other: "RunSlice") -> None:
        """Add the figures of ``other``, of the same run."""
        self.stored += other.stored
        self.late += other.late
        self.highest = max(self.highest, other.highest)
        self.first_arrived_ns = min(self.first_arrived_ns, other.first_arrived_ns)
        self.last_arrived_ns = max(self.last_arrived_ns, other.last_arrived_ns)

    def holds(self, other: "RunSlice") -> bool:
        """Whether nothing of ``other``, an earlier count, is missing here."""
        return (
            self.stored >= other.stored
            and self.late >= other.late
            and self.highest >= other.highest
            and self.first_arrived_ns <= other.first_arrived_ns
            and self.last_arrived_ns >= other.last_arrived_ns
        )


Runs = Mapping[str, RunSlice]
Counted = Mapping[Span, Runs]

_NOTHING = RunSlice()


@dataclass(slots=True)
class SliceCache:
    """The counts by span, no two of which overlap, and their totals."""

    spans: dict[Span, Runs] = field(default_factory=dict)
    totals: dict[str, RunSlice] = field(default_factory=dict)
    _counted_ns: dict[Span, int] = field(default_factory=dict)

    def span_of(self, moment_ns: int) -> Span:
        """The span that holds ``moment_ns``: a folded one, else its slice."""
        for length_ns in reversed(LENGTHS_NS):
            if (span := span_at(moment_ns, length_ns)) in self.spans:
                return span
        return span_at(moment_ns, SLICE_NS)

    def shrinks(self, counted: Counted) -> bool:
        """Whether something that was known is gone: it was deleted, or its retention ended."""
        return any(
            not runs.get(run, _NOTHING).holds(known)
            for span, runs in counted.items()
            for run, known in self.spans.get(span, {}).items()
        )

    def replace(self, counted: Counted, now_ns: int) -> list[RunFigures]:
        """Apply ``counted``, which must not shrink; returns the figures of the runs that changed."""
        changed: set[str] = set()
        for span, runs in counted.items():
            known = self.spans.get(span, {})
            for run, figures in runs.items():
                if figures != known.get(run):
                    self._correct(run, known.get(run, _NOTHING), figures)
                    changed.add(run)
            self.spans[span] = runs
            self._counted_ns[span] = now_ns
        return [figures_of(run, self.totals[run]) for run in sorted(changed)]

    def split(self, parts: Counted, now_ns: int) -> None:
        """Keep ``parts`` instead of the spans that hold them and have the same sums."""
        for part in parts:
            self.spans.pop(self.span_of(part[0]), None)
        self.spans.update(parts)
        self._counted_ns.update(dict.fromkeys(parts, now_ns))

    def fold(self, now_ns: int) -> None:
        """Replace the spans of past hours and days by their sums."""
        self._counted_ns = {s: at for s, at in self._counted_ns.items() if 0 <= now_ns - at < REST_NS}
        for length_ns, next_ns in pairwise(LENGTHS_NS):
            grouped: dict[Span, list[Span]] = defaultdict(list)
            for span in self.spans:
                if (
                    span[1] - span[0] <= length_ns
                ):  # all that the whole contains, so no shorter span remains in it
                    grouped[span_at(span[0], next_ns)].append(span)
            for whole, spans in grouped.items():
                if _is_far(whole, now_ns, next_ns) and not any(span in self._counted_ns for span in spans):
                    self._join(whole, spans)

    def differing(self, other: "SliceCache") -> list[RunFigures]:
        """The figures of the runs that differ in ``other``; of runs that are gone here, empty ones."""
        runs = {*self.totals, *other.totals}
        pairs = {run: (self.totals.get(run, _NOTHING), other.totals.get(run, _NOTHING)) for run in runs}
        return [figures_of(run, now) for run, (now, then) in sorted(pairs.items()) if now != then]

    def _join(self, whole: Span, spans: Iterable[Span]) -> None:
        self.spans[whole] = _sum(self.spans.pop(span) for span in spans)

    def _correct(self, run: str, known: RunSlice, counted: RunSlice) -> None:
        """Since nothing shrinks, only sums need to forget what was known before."""
        total = self.totals.setdefault(run, RunSlice())
        total.stored -= known.stored
        total.late -= known.late
        total.add(counted)


def span_at(moment_ns: int, length_ns: int) -> Span:
    """The span of ``length_ns`` that holds ``moment_ns``."""
    start_ns = moment_ns // length_ns * length_ns
    return start_ns, start_ns + length_ns


def sums(wholes: Iterable[Span], parts: Counted) -> Counted:
    """The figures of each of ``wholes``, no two of which overlap, from those of its parts."""
    inside: dict[Span, list[Runs]] = {whole: [] for whole in wholes}
    for part, runs in parts.items():
        for length_ns in LENGTHS_NS:
            if (whole := span_at(part[0], length_ns)) in inside:
                inside[whole].append(runs)
    return {whole: _sum(all_runs) for whole, all_runs in inside.items()}


def _sum(several: Iterable[Runs]) -> Runs:
    total: dict[str, RunSlice] = defaultdict(RunSlice)
    for runs in several:
        for run, figures in runs.items():
            total[run].add(figures)
    return dict(total)


def merge_ranges(spans: Iterable[Span], gap_ns: int = 0) -> list[Span]:
    """Ranges that cover ``spans`` and gaps of up to ``gap_ns`` between them, in rising order."""
    merged: list[Span] = []
    for start_ns, end_ns in sorted(spans):
        if merged and start_ns - merged[-1][1] <= gap_ns:
            merged[-1] = (merged[-1][0], end_ns)
        else:
            merged.append((start_ns, end_ns))
    return merged


def _is_far(span: Span, now_ns: int, distance_ns: int) -> bool:
    return span[1] + distance_ns <= now_ns or span[0] - distance_ns >= now_ns


def figures_of(run: str, figures: RunSlice) -> RunFigures:
    """The figures of a run, all of it; those of one of which nothing is stored are 0."""
    if not figures.stored:
        return RunFigures(run, stored=0, highest=-1, first_arrived_ns=0, last_arrived_ns=0, late=0)
    first_ns, last_ns = figures.first_arrived_ns, figures.last_arrived_ns
    return RunFigures(run, figures.stored, figures.highest, first_ns, last_ns, figures.late)
