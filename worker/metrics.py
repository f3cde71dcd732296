"""Metrics of a worker."""

from prometheus_client import Counter, Gauge, Histogram

from pipeline.buckets import BUCKETS_S

STORED = Counter("fizzbuzz_worker_stored_messages_total", "Messages written to the store.")
WRITE_SECONDS = Histogram(
    "fizzbuzz_worker_write_seconds",
    "Duration of a successful write to the store.",
    buckets=BUCKETS_S,
)
STORE_UNAVAILABLE = Counter(
    "fizzbuzz_worker_store_unavailable_total", "Writes that failed because the store was unavailable."
)
REJECTED = Counter(
    "fizzbuzz_worker_rejected_messages_total",
    "Messages that the store rejected for good; see RQ's failed jobs.",
)
RECLAIMED = Counter("fizzbuzz_worker_reclaimed_jobs_total", "Jobs requeued after a worker died.")
LOST_JOBS = Gauge(
    "fizzbuzz_worker_lost_jobs",
    "Jobs whose content was missing in Redis: their messages are lost.",
)
FAILED_JOBS = Gauge("fizzbuzz_worker_failed_jobs", "Jobs in the failed registry.")
