"""Assembles the service in the server's worker process. Imported there, after gevent's patching."""

import os
import signal
import time
from collections.abc import Sequence

import gevent
from flask import Flask
from gevent.threadpool import ThreadPool
from redis import RedisError

from pipeline.parent_watch import exit_with_parent
from pipeline.queue import client as queue
from pipeline.settings import Settings
from pipeline.store import StoreUnavailable, open_store
from web.app import create
from web.broadcaster import Broadcaster
from web.limits import max_streams
from web.poller import BackgroundPoller
from web.queue_reader import QueueReader, QueueSample
from web.sampler import Sampler
from web.store_reader import StoreReader, StoreSample


def serve(settings: Settings) -> Flask:
    """Start the sampler and return the app that shows its snapshots."""
    exit_with_parent()
    sampler = Sampler(poll_store(settings), poll_queue(settings), store=settings.store, name=settings.name)
    broadcaster = Broadcaster(sampler.sample())
    app = create(
        broadcaster, time.time_ns, bind=settings.bind, hosts=settings.hosts, max_streams=max_streams()
    )
    app.extensions["broadcaster"] = broadcaster
    gevent.spawn(sampler.run, broadcaster.publish).link_exception(_terminate)
    return app


def poll_store(settings: Settings) -> BackgroundPoller[int, StoreSample]:
    """The store's poller, in a thread of its own: SQLite would block every stream while it reads."""
    reader = StoreReader(open_store(settings))
    pool = ThreadPool(1)
    return BackgroundPoller("database", reader.read, StoreUnavailable, spawn=pool.spawn)


def poll_queue(settings: Settings) -> BackgroundPoller[Sequence[str], QueueSample]:
    """The queue's poller, in a greenlet: its client only waits."""
    reader = QueueReader(queue.connect(settings.redis_url, timeout_s=1.0))
    return BackgroundPoller("queue", reader.read, RedisError, spawn=gevent.spawn)


def _terminate(sampler: object) -> None:
    """End the process after an unforeseen error of the sampler, so that it is restarted."""
    os.kill(os.getpid(), signal.SIGTERM)
