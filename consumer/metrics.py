"""Metrics of the consumer."""

from collections.abc import Sequence

from prometheus_client import Counter, Gauge, Histogram

from consumer.enqueuer import Receipt
from pipeline.buckets import BUCKETS_S
from pipeline.message import Arrival

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
TRANSMISSION_SECONDS = Histogram(
    "fizzbuzz_consumer_transmission_seconds",
    "Arrival minus sent, of new messages.",
    buckets=BUCKETS_S,
)
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
    for arrival, receipt in zip(arrivals, receipts, strict=True):
        if receipt.duplicate:
            DUPLICATES.inc()
        else:
            TRANSMISSION_SECONDS.observe(max(0.0, arrival.transmission_ns / 1e9))
