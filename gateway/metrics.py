"""Metrics of the gateway."""

from prometheus_client import Counter, Histogram

from pipeline.buckets import BUCKETS_S

REQUESTS = Counter(
    "fizzbuzz_gateway_requests_total",
    "Responses at /messages, and to requests that can't be read, by status.",
    ["status"],
)
REQUEST_SECONDS = Histogram(
    "fizzbuzz_gateway_request_seconds",
    "Time from request to response of POST /messages.",
    buckets=BUCKETS_S,
)
ACCEPTED = Counter("fizzbuzz_gateway_accepted_messages_total", "Messages answered with 202.")
DUPLICATES = Counter("fizzbuzz_gateway_duplicate_messages_total", "Messages that had been accepted before.")
UNAUTHORIZED = Counter("fizzbuzz_gateway_unauthorized_requests_total", "Requests without a valid token.")
CALL_SECONDS = Histogram(
    "fizzbuzz_gateway_call_seconds", "Duration of a call to the consumer.", buckets=BUCKETS_S
)
CALL_MESSAGES = Histogram(
    "fizzbuzz_gateway_call_messages", "Messages in one call.", buckets=(1, 2, 5, 10, 50, 100, 500, 1000)
)
