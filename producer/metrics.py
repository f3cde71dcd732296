"""What the producer counts."""

from prometheus_client import Counter, Gauge, Histogram

_FINE = (0.00025, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0)
_COARSE = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

SENT = Counter("fizzbuzz_producer_sent_messages_total", "Messages sent at their scheduled time.")
ACKNOWLEDGED = Counter("fizzbuzz_producer_acknowledged_messages_total", "Messages answered 202.")
DUPLICATES = Counter(
    "fizzbuzz_producer_duplicate_messages_total", "Acknowledged messages that had been accepted before."
)
FOREIGN = Counter(
    "fizzbuzz_producer_foreign_messages_total",
    "Messages whose first attempt was answered as a duplicate: another sender had sent them under this run.",
)
REJECTED = Counter(
    "fizzbuzz_producer_rejected_messages_total", "Messages dropped because no retry could succeed."
)
RETRIES = Counter("fizzbuzz_producer_retries_total", "Attempts to deliver messages from the backlog.")
FAILURES = Counter(
    "fizzbuzz_producer_failed_tries_total", "Failed attempts that will be retried, by cause.", ["cause"]
)
BURSTS = Counter("fizzbuzz_producer_bursts_total", "Bursts that were submitted.")
LATE_BURSTS = Counter(
    "fizzbuzz_producer_late_bursts_total",
    "Bursts that began late, or whose messages could not all be sent in time.",
)
SKIPPED_BURSTS = Counter(
    "fizzbuzz_producer_skipped_bursts_total", "Bursts that were skipped, by reason.", ["reason"]
)
BACKLOG = Gauge("fizzbuzz_producer_backlog_messages", "Messages that wait for a retry.")
BURST_SPAN_SECONDS = Histogram(
    "fizzbuzz_producer_burst_span_seconds", "From a burst's first message to its last.", buckets=_FINE
)
START_OFFSET_SECONDS = Histogram(
    "fizzbuzz_producer_start_offset_seconds", "From a burst's deadline to its first message.", buckets=_FINE
)
ROUND_TRIP_SECONDS = Histogram(
    "fizzbuzz_producer_round_trip_seconds", "From sending a message to its response.", buckets=_COARSE
)
