"""What the web service counts."""

from prometheus_client import Counter, Gauge, Histogram

_FAST = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)

STREAMS = Gauge("fizzbuzz_web_streams", "Streams that are open.")
REFUSED_STREAMS = Counter(
    "fizzbuzz_web_refused_streams_total", "Streams that were refused, since too many were open."
)
STALLED = Counter(
    "fizzbuzz_web_stalled_connections_total", "Connections that were closed, since their client read nothing."
)
EVENTS = Counter("fizzbuzz_web_events_total", "Readings sent, over all streams.")
SKIPPED = Counter("fizzbuzz_web_skipped_events_total", "Readings that a slow stream was spared.")
READING_SECONDS = Histogram("fizzbuzz_web_reading_seconds", "Time of one reading.", buckets=_FAST)
READING_LAG_SECONDS = Histogram(
    "fizzbuzz_web_reading_lag_seconds", "How late after its tick a reading began.", buckets=_FAST
)
READING_ERRORS = Counter(
    "fizzbuzz_web_reading_errors_total", "Readings that were refused, by what was read.", ["source"]
)
READ_AT = Gauge("fizzbuzz_web_last_reading_timestamp_seconds", "When the last reading went out, Unix time.")
