"""Options of both ends by which a gateway finds that a consumer's machine is gone.

Such a machine closes no connection, and its packets are merely missing: without pings the kernel would repeat
what was not confirmed for a quarter of an hour, and a part of all calls would wait for it.

Source: https://grpc.io/docs/guides/keepalive/
"""

PING_MS = 5_000
ANSWER_MS = 5_000

CLIENT = (
    ("grpc.keepalive_time_ms", PING_MS),
    ("grpc.keepalive_timeout_ms", ANSWER_MS),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.ping_timeout_ms", ANSWER_MS),  # of gRPC's own pings, which ours do not follow
    ("grpc.http2.max_pings_without_data", 0),
)
SERVER = (
    ("grpc.http2.min_ping_interval_without_data_ms", PING_MS // 2),  # by default a ping in 5 min. is too many
    ("grpc.keepalive_permit_without_calls", 1),
)
