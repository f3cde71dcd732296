"""The metrics of the web service."""

from prometheus_client import Counter, Gauge, Histogram

from pipeline.buckets import BUCKETS_S

STREAMS = Gauge("fizzbuzz_web_streams", "Open streams.", multiprocess_mode="livesum")
REFUSED_STREAMS = Counter("fizzbuzz_web_refused_streams_total", "Streams refused because too many were open.")
STALLED = Counter(
    "fizzbuzz_web_stalled_connections_total", "Connections closed because their client read nothing."
)
EVENTS = Counter("fizzbuzz_web_events_total", "Events sent, over all streams.")
SKIPPED = Counter("fizzbuzz_web_skipped_events_total", "Events skipped for slow clients.")
READING_SECONDS = Histogram(
    "fizzbuzz_web_reading_seconds",
    "Time of one tick's polls of database and queue.",
    buckets=BUCKETS_S,
)
READING_LAG_SECONDS = Histogram(
    "fizzbuzz_web_reading_lag_seconds",
    "Delay of a tick after its scheduled time.",
    buckets=BUCKETS_S,
)
READING_ERRORS = Counter("fizzbuzz_web_reading_errors_total", "Failed polls, by source.", ["source"])
READ_AT = Gauge(
    "fizzbuzz_web_last_reading_timestamp_seconds",
    "Time of the last snapshot, Unix time; of several processes the oldest.",
    multiprocess_mode="livemin",
)
