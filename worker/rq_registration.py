"""The worker's registration in RQ: the hash that ``rq info`` shows, kept alive by heartbeats."""

import os
import socket
import sys
from collections.abc import Mapping
from itertools import chain

from redis import Redis
from rq.utils import now, utcformat
from rq.version import VERSION

from pipeline.queue import keys
from pipeline.queue.keys import QUEUE
from worker import queue_scripts as scripts

LIFETIME_S = 77
"""RQ forgets a worker without a heartbeat after this long."""


class Registration:
    """The registration of the worker ``name``. Every method raises redis.RedisError."""

    def __init__(self, redis: Redis, name: str) -> None:
        self._redis = redis
        self._key = keys.rq_worker(name)
        self._executions = keys.rq_worker_executions(name)
        self._name = name
        self._fields: dict[str, str | int] = {}

    def begin(self) -> None:
        """Register; replaces what an earlier worker of this name left."""
        self._redis.client_setname(self._name)
        self._fields = {
            "birth": utcformat(now()),
            "queues": QUEUE,
            "pid": os.getpid(),
            "hostname": socket.gethostname(),
            "ip_address": str(self._redis.client_info()["addr"]),
            "version": VERSION,
            "python_version": sys.version,
        }
        self._redis.delete(self._key, self._executions)
        self._write(self._fields | {"state": "idle"})

    def heartbeat(self) -> bool:
        """Send a heartbeat. Returns whether workers must pause (``rq suspend``)."""
        return self._write(self._fields)

    def end(self) -> None:
        """Unregister."""
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.srem(keys.RQ_WORKERS, self._key)
            pipeline.srem(keys.RQ_QUEUE_WORKERS, self._key)
            pipeline.delete(self._key, self._executions)
            pipeline.execute()

    def _write(self, fields: Mapping[str, str | int]) -> bool:
        """Writes all fields each time: the hash may have expired in between."""
        words = map(str, chain.from_iterable({**fields, "last_heartbeat": utcformat(now())}.items()))
        registries = (keys.RQ_WORKERS, keys.RQ_QUEUE_WORKERS, keys.RQ_SUSPENDED)
        known = (self._key, self._executions, *registries)
        return bool(self._redis.eval(scripts.HEARTBEAT_WORKER, len(known), *known, str(LIFETIME_S), *words))
