"""The store in InfluxDB 2: writing and reading."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice, pairwise

from pipeline.clock import NS_PER_MS
from pipeline.message import Batch, ClockOffset
from pipeline.settings import Influx
from pipeline.store import statistics
from pipeline.store.base import Store
from pipeline.store.figures import RunFigures, Totals, Window
from pipeline.store.influx import data_model, flux
from pipeline.store.influx.change_reader import ChangeReader
from pipeline.store.influx.client import InfluxClient
from pipeline.store.influx.counting import count_run, time_ns
from pipeline.store.influx.run_totals import MAX_KEPT, RunTotals
from pipeline.store.influx.slice_cache import figures_of
from pipeline.store.statistics import known_offsets, may_be_far
from pipeline.store.written import StoredMessage, Written, WrittenBatch

TIMINGS_TIMEOUT_MS = 1_000
"""The messages are already stored when their timings are written, and the worker must send its heartbeat."""

MAX_NUMBERS = 200_000
"""``holes`` examines at most this many stored numbers of a run, the highest: the server sorts them."""


class InfluxStore(Store):
    """Messages in a bucket of an InfluxDB 2 server (see ``data_model``).

    Two messages never share a point: arrivals are unique in a consumer, and the consumer is a tag.
    """

    def __init__(self, settings: Influx) -> None:
        self._client = InfluxClient(settings)
        self._bucket = settings.bucket
        self._last_written: dict[str, Batch] = {}
        self._totals: RunTotals | None = None

    def write(self, batches: Sequence[Batch]) -> Written:
        """Messages and change marker in one request.

        A point is named by its arrival, which only one job has: so every message counts as added, and a
        repeat that another job brings is a point of its own.
        """
        batches = [batch for batch in batches if batch.arrivals]
        if batches:
            messages = [line for batch in batches for line in data_model.line_protocol(batch)]
            self._client.write([*messages, *data_model.change_markers(batches)])
        self._last_written = {batch.id: batch for batch in batches}
        return {batch.id: WrittenBatch(Counter(a.message.run for a in batch.arrivals)) for batch in batches}

    def record_stored(self, batch_ids: Collection[str], stored_ns: int) -> None:
        written = [self._last_written[name] for name in batch_ids if name in self._last_written]
        lines = [line for batch in written for line in data_model.timings(batch, stored_ns)]
        if lines:
            self._client.write(lines, timeout_ms=TIMINGS_TIMEOUT_MS)

    def changes(self, cursor: ChangeReader | None) -> tuple[Sequence[RunFigures], ChangeReader]:
        """The figures of all runs that changed since ``cursor`` (None: of every run), and a new cursor."""
        reader = cursor or ChangeReader(self._bucket)
        return reader.read(self._client.query), reader

    def totals(self, *, recount: bool = False) -> Totals:
        known, self._totals = self._totals, None  # what fails is counted again by the next call
        totals = known.read() if known and not recount else None
        if known is None or totals is None or known.is_recount_due:
            known = RunTotals(self.changes)
            totals = known.read()
        self._totals = known
        return totals

    def window(self, after_ns: int, until_ns: int, clocks: Mapping[str, ClockOffset] | None = None) -> Window:
        span = (self._bucket, after_ns + 1, until_ns + 1)
        offsets_ns = known_offsets(clocks or {})
        every, sums = self._window_values(flux.window(*span))
        values, last_early_ns = every, None
        if every and may_be_far(every[0] * NS_PER_MS, every[-1] * NS_PER_MS, offsets_ns):
            values, sums = self._window_values(flux.window(*span, flux.near(offsets_ns)))
        if every and every[0] < 0:
            moments = [time_ns(row["_time"]) for row in self._client.query(flux.early(*span))]
            last_early_ns = max(moments, default=None)
        left_out = max(0, len(every) - len(values))
        found = replace(statistics.window(values), left_out=left_out, last_early_ns=last_early_ns)
        if found.mean_ms is None:
            return found
        persist_ms = _batch_mean(sums, "persist_sum_ms")
        return replace(found, hops_ms=_hops(sums, len(values), found.mean_ms), persist_ms=persist_ms)

    def _window_values(self, query: str) -> tuple[list[float], dict[str, float]]:
        """The transmission times in rising order, ms; and the other figures by their field."""
        values: list[float] = []
        sums: dict[str, float] = {}
        for row in self._client.query(query):
            if row["result"] == "transmissions":
                values.append(float(row["_value"]))
            elif row["result"] == "gateway":
                sums["gateway_count"] = float(row["_value"])
            else:
                sums[row["_field"]] = float(row["_value"])
        return sorted(values), sums

    def holes(self, run: str, limit: int) -> Sequence[tuple[int, int]]:
        rows = self._client.query(flux.numbers(self._bucket, run, MAX_NUMBERS))
        stored = sorted({int(row["_value"]) for row in rows}, reverse=True)
        bounds = stored if len(rows) == MAX_NUMBERS else [*stored, -1]
        ranges = ((below + 1, above - 1) for above, below in pairwise(bounds) if above - below > 1)
        return list(islice(ranges, limit)) if stored else []

    def message(self, run: str, number: int) -> StoredMessage | None:
        found = self._client.query(flux.message(self._bucket, run, number))
        if not found:
            return None
        arrived_ns, consumer = min((time_ns(row["_time"]), row["consumer"]) for row in found)
        values: dict[tuple[str, str], str] = {
            (row["result"], row["_field"]): row["_value"]
            for row in self._client.query(flux.point(self._bucket, run, consumer, arrived_ns))
        }
        return _stored_message(run, number, arrived_ns, consumer, values)

    def runs(self, limit: int) -> Sequence[RunFigures]:
        self.totals()
        return self._totals.last_arrived(limit) if self._totals else []

    def run(self, name: str) -> RunFigures | None:
        return next((run for run in self.runs(MAX_KEPT) if run.run == name), None) or self._counted(name)

    def _counted(self, name: str) -> RunFigures | None:
        """The figures of a run that ``runs`` no longer has."""
        found = count_run(self._client.query, self._bucket, name)
        return figures_of(name, found) if found.stored else None

    def delete_run(self, run: str) -> Iterator[int]:
        """All of it is one step, and it is counted before and after."""
        before = self._stored(run)
        for measurement in ("message", "batch"):
            self._client.delete(measurement, run, 0, flux.END_NS)
        self._client.write([data_model.all_changed("runs")])
        yield before - self._stored(run)

    def _stored(self, run: str) -> int:
        return sum(int(row["_value"]) for row in self._client.query(flux.stored(self._bucket, run)))

    def close(self) -> None:
        self._client.close()


def _stored_message(
    run: str, number: int, arrived_ns: int, consumer: str, values: Mapping[tuple[str, str], str]
) -> StoredMessage:
    sent_ns = int(values["message", "sent_ns"])
    gateway_ms = values.get(("message", "gateway_ms"))
    moments = {name: values.get(("batch", name)) for name in ("queued_ns", "taken_ns", "stored_ns")}
    queued_ns, taken_ns, stored_ns = (int(text) if text else None for text in moments.values())
    if queued_ns is not None and queued_ns < arrived_ns:  # its own batch has no timings, an earlier one has
        values, queued_ns, taken_ns, stored_ns = {}, None, None, None
    return StoredMessage(
        run=run,
        number=number,
        sent_ns=sent_ns,
        gateway_ns=None if gateway_ms is None else sent_ns + round(float(gateway_ms) * NS_PER_MS),
        arrived_ns=arrived_ns,
        queued_ns=queued_ns,
        taken_ns=taken_ns,
        stored_ns=stored_ns,
        job=values.get(("batch", "job")),
        worker=values.get(("batch", "worker")),
        consumer=consumer,
    )


def _hops(sums: Mapping[str, float], messages: int, transmission_ms: float) -> tuple[float | None, ...]:
    """The means of each hop. Queue and store are known per batch, so a batch counts as a whole.

    From gateway to arrival is known where all messages came through a gateway; some may have been written
    between the two counts.
    """
    gateway_ms = sums.get("gateway_ms")
    is_whole = 100 * abs(sums.get("gateway_count", 0) - messages) <= messages
    return (
        gateway_ms,
        transmission_ms - gateway_ms if gateway_ms is not None and is_whole else None,
        _batch_mean(sums, "queue_sum_ms"),
        _batch_mean(sums, "store_sum_ms"),
    )


def _batch_mean(sums: Mapping[str, float], name: str) -> float | None:
    count = sums.get("count")
    return sums[name] / count if count and name in sums else None
