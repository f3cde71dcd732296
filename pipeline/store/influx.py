"""The store in InfluxDB 2."""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import chain

from pipeline.clock import NS_PER_MS, NS_PER_S, Clock, to_ns
from pipeline.message import Batch
from pipeline.settings import Influx
from pipeline.store import influx_lines, influx_queries
from pipeline.store.base import Cursor, MessageRejected, RunFigures, Store, Window
from pipeline.store.influx_client import InfluxClient
from pipeline.store.influx_history import History, Part, slices_between, stretches
from pipeline.store.statistics import histogram, nearest_rank

NOTE_LIFETIME_NS = 20 * NS_PER_S
"""A note must be readable this long after the time that it bears; a reader looks back so far."""

SLOW_WRITE_NS = 5 * NS_PER_S
"""After a write that took longer its note is written again, with a time that readers still look at."""

SETTLE_NS = 3 * NS_PER_S
"""A request's points do not all appear at once, so what a note tells of is counted for this long."""

_DAY_NS = 86_400 * NS_PER_S


class InfluxStore(Store):
    """Messages in a bucket of an InfluxDB 2 server (the data model is in ``influx_lines``).

    A write is one request, on the server's disk when it returns. Two messages never share a point:
    arrivals are unique in a consumer, and the consumer is a tag.
    """

    def __init__(self, settings: Influx, clock: Clock = time.time_ns) -> None:
        self._client = InfluxClient(settings)
        self._bucket = settings.bucket
        self._clock = clock
        self._last: tuple[Sequence[Batch], int] = ((), 0)  # the last batches and when they were stored

    def write(self, batches: Sequence[Batch]) -> None:
        written_ns = self._clock()
        before, stored_ns = self._last
        try:
            self._client.write(
                chain(
                    chain.from_iterable(map(influx_lines.lines, batches)),
                    influx_lines.notes(batches, written_ns),
                    chain.from_iterable(influx_lines.stored(batch, stored_ns) for batch in before),
                )
            )
        except MessageRejected:
            # The server may have kept the lines that it did not refuse, the sums among them.
            self._client.write(chain.from_iterable(map(influx_lines.rejected, batches)))
            raise
        self._last = (batches, self._clock())
        if self._clock() - written_ns > SLOW_WRITE_NS:
            self._client.write(influx_lines.notes(batches, self._clock()))

    def changes(self, cursor: Cursor | None) -> tuple[Sequence[RunFigures], Cursor]:
        now_ns = self._clock()
        if not isinstance(cursor, History):
            history = History()
            self._changed(history, now_ns)  # these notes tell of nothing that the full count lacks
            counted = self._count(0, now_ns + _DAY_NS)
            return history.replace(counted, counted), history
        starts = self._changed(cursor, now_ns)
        counted = {}
        for start_ns, stop_ns in stretches(starts):
            counted |= self._count(start_ns, stop_ns)
        return cursor.replace(starts, counted), cursor

    def window(self, after_ns: int, until_ns: int) -> Window:
        values: list[float] = []
        sums: dict[str, str] = {}
        for row in self._client.query(influx_queries.window(self._bucket, after_ns + 1, until_ns + 1)):
            if row["result"] == "transmissions":
                values.append(float(row["_value"]))
            else:
                sums[row["_field"]] = row["_value"]
        if not values:
            return Window(0)
        mean = sum(values) / len(values)
        p50, p95, p99 = (nearest_rank(values, share) for share in (0.50, 0.95, 0.99))
        return Window(len(values), mean, p50, p95, p99, values[-1], _hops(sums, mean), histogram(values))

    def close(self) -> None:
        self._client.close()

    def _changed(self, history: History, now_ns: int) -> set[int]:
        """The slices that writes have changed since the last look."""
        since_ns = now_ns - NOTE_LIFETIME_NS
        rows = self._client.query(influx_queries.notes(self._bucket, since_ns, now_ns + _DAY_NS))
        notes: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
        for row in rows:
            notes[row["worker"], row["_time"]][row["_field"]] = int(row["_value"])
        whole = [note for note, ends in notes.items() if len(ends) == 2]  # its fields may appear one by one
        history.notes = {note: history.notes.get(note, now_ns) for note in whole}
        unsettled = [notes[note] for note, seen in history.notes.items() if now_ns - seen < SETTLE_NS]
        return {start for ends in unsettled for start in slices_between(ends["first_ns"], ends["last_ns"])}

    def _count(self, start_ns: int, stop_ns: int) -> dict[int, dict[str, Part]]:
        counted: dict[int, dict[str, Part]] = defaultdict(lambda: defaultdict(Part))
        for row in self._client.query(influx_queries.counts(self._bucket, start_ns, stop_ns)):
            counted[_ns(row["_start"])][row["run"]].add(_part(row))
        return counted


def _part(row: Mapping[str, str]) -> Part:
    """What one row of ``influx_queries.counts`` adds."""
    if row["result"] == "first":
        return Part(first_arrived_ns=_ns(row["_time"]))
    value = int(row["_value"])
    match row["_field"]:
        case "count":
            return Part(stored=value)
        case "late":
            return Part(late=value)
        case "highest":
            return Part(highest=value)
        case _:
            return Part(last_arrived_ns=value)


def _hops(sums: Mapping[str, str], transmission_ms: float) -> tuple[float | None, ...]:
    """The means of each hop. Queue and store are known by the batch, so a batch counts whole."""
    gateway_ms = float(sums["gateway_ms"]) if "gateway_ms" in sums else None
    return (
        gateway_ms,
        None if gateway_ms is None else transmission_ms - gateway_ms,
        _mean_ms(sums, "queue_sum_ns", "count"),
        _mean_ms(sums, "store_sum_ns", "store_count"),
    )


def _mean_ms(sums: Mapping[str, str], total: str, count: str) -> float | None:
    return int(sums[total]) / int(sums[count]) / NS_PER_MS if int(sums.get(count, 0)) else None


def _ns(text: str) -> int:
    """Unix nanoseconds of RFC 3339 in UTC, as the server writes it, up to nine digits exactly."""
    moment, _, fraction = text.removesuffix("Z").partition(".")
    return to_ns(datetime.fromisoformat(f"{moment}+00:00")) + int(fraction.ljust(9, "0"))
