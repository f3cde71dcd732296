"""Metrics of the consumer."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from threading import Lock

from prometheus_client import REGISTRY, Counter, Gauge, Histogram
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from consumer.enqueuer import Receipt
from pipeline.buckets import BUCKETS_S
from pipeline.message import Arrival


class BatchHistogram(Collector):
    """A histogram that counts many values at once: prometheus_client's own takes a microsecond for each.

    Args:
        buckets: their upper bounds, rising; values above the last one are counted too.
    """

    def __init__(self, name: str, documentation: str, buckets: Sequence[float]) -> None:
        self._name = name
        self._documentation = documentation
        self._bounds = (*buckets, float("inf"))
        self._counts = [0] * len(self._bounds)
        self._sum = 0.0
        self._lock = Lock()

    def observe_all(self, values: Iterable[float]) -> None:
        """Count the values. Any thread."""
        with self._lock:
            for value in values:
                self._counts[bisect_left(self._bounds, value)] += 1
                self._sum += value

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """What the registry asks for."""
        with self._lock:
            counts, total = [*self._counts], self._sum
        named = zip(map(floatToGoString, self._bounds), accumulate(counts), strict=True)
        yield HistogramMetricFamily(self._name, self._documentation, buckets=list(named), sum_value=total)


ACCEPTED = Counter("fizzbuzz_consumer_accepted_messages_total", "Messages persisted.")
DUPLICATES = Counter(
    "fizzbuzz_consumer_duplicate_messages_total", "Accepted messages that had been accepted before."
)
REFUSED_CALLS = Counter(
    "fizzbuzz_consumer_refused_calls_total",
    "Calls that ended with an error, by gRPC status and reason.",
    ["status", "reason"],
)
COMMIT_SECONDS = Histogram(
    "fizzbuzz_consumer_commit_seconds", "Time until Redis had a commit on disk.", buckets=BUCKETS_S
)
COMMIT_MESSAGES = Histogram(
    "fizzbuzz_consumer_commit_messages", "Messages in one commit.", buckets=(1, 2, 5, 10, 50, 100, 500, 1000)
)
TRANSMISSION_SECONDS = BatchHistogram(
    "fizzbuzz_consumer_transmission_seconds",
    "Arrival minus sent, of new messages; negative ones as 0.",
    BUCKETS_S,
)
REGISTRY.register(TRANSMISSION_SECONDS)
QUEUE_JOBS = Gauge("fizzbuzz_consumer_queue_jobs", "Jobs waiting in the queue.")
WAITING_MESSAGES = Gauge(
    "fizzbuzz_consumer_waiting_messages", "Accepted messages that are neither stored nor failed."
)
REDIS_MEMORY = Gauge("fizzbuzz_consumer_redis_memory_bytes", "Redis memory that counts towards its limit.")
REDIS_MEMORY_LIMIT = Gauge("fizzbuzz_consumer_redis_memory_limit_bytes", "Redis's maxmemory; 0: no limit.")
REPLICAS = Gauge(
    "fizzbuzz_consumer_redis_replicas",
    "Replicas of Redis that answer their primary, where FIZZBUZZ_REDIS_REPLICAS is set.",
)
QUEUE_DURABLE = Gauge(
    "fizzbuzz_consumer_queue_durable", "1 if Redis has each write on disk before it responds, else 0."
)


def count(arrivals: Sequence[Arrival], receipts: Sequence[Receipt]) -> None:
    """Count one commit."""
    ACCEPTED.inc(len(receipts))
    COMMIT_MESSAGES.observe(len(receipts))
    new = [a for a, receipt in zip(arrivals, receipts, strict=True) if not receipt.duplicate]
    if duplicates := len(receipts) - len(new):
        DUPLICATES.inc(duplicates)
    TRANSMISSION_SECONDS.observe_all([max(0.0, arrival.transmission_ns / 1e9) for arrival in new])
