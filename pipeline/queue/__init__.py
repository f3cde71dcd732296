"""The queue in Redis: its keys, what a job carries, and what the services read of it."""

from pipeline.queue.client import (
    clock,
    connect,
    depth,
    duplicates,
    encode_clock,
    reconcile_waiting,
    record_start,
    settle,
    started,
    waiting,
)
from pipeline.queue.keys import QUEUE

__all__ = [
    "QUEUE",
    "clock",
    "connect",
    "depth",
    "duplicates",
    "encode_clock",
    "reconcile_waiting",
    "record_start",
    "settle",
    "started",
    "waiting",
]
