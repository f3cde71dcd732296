"""Assembles the service in the server's worker process. Imported there, after gevent's patching."""

import os
import signal
import socket
import time

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
from web.lookup import Lookup
from web.loss_search import LossSearch
from web.observer import LossPoller, Observer
from web.open_streams import OpenStreams, max_streams
from web.poller import BackgroundPoller
from web.queue_reader import QueueReader, QueueRequest, QueueSample
from web.sampler import Sampler
from web.store_reader import StoreReader, StoreRequest, StoreSample

QUEUE_TIMEOUT_S = 1.0
SEARCH_TIMEOUT_S = 5.0


def serve(settings: Settings, open_streams: OpenStreams, started_ns: int) -> Flask:
    """Start the sampler and return the app that shows its snapshots.

    Args:
        open_streams: counts those of all processes of the service.
        started_ns: when the first of them started.
    """
    if settings.web_processes > 1:
        exit_with_parent()
    began_ns = time.time_ns()
    observer = Observer(settings.name, began_ns, search_losses(settings), started_ns=started_ns)
    queue_poller = poll_queue(settings, open_streams.process)
    sampler = Sampler(poll_store(settings), queue_poller, observer, store=settings.store)
    broadcaster = Broadcaster(sampler.sample(), open_streams)
    app = create(
        broadcaster,
        time.time_ns,
        lookup=look_up(settings),
        bind=settings.bind,
        hosts=settings.hosts,
        max_streams=max_streams(settings.web_processes),
    )
    app.extensions["broadcaster"] = broadcaster
    gevent.spawn(sampler.run, broadcaster.publish).link_exception(_terminate)
    return app


def poll_store(settings: Settings) -> BackgroundPoller[StoreRequest, StoreSample]:
    """The store's poller, in a thread of its own: SQLite would block every stream while it reads."""
    reader = StoreReader(open_store(settings))
    pool = ThreadPool(1)
    return BackgroundPoller("database", reader.read, StoreUnavailable, spawn=pool.spawn)


def poll_queue(settings: Settings, process: int = 0) -> BackgroundPoller[QueueRequest, QueueSample]:
    """The queue's poller, in a greenlet: its client only waits. A reading may be sent again."""
    replica = f"{settings.name}@{socket.gethostname()}/{process}"
    reader = QueueReader(queue.connect(settings.redis_url, timeout_s=QUEUE_TIMEOUT_S, retries=1), replica)
    return BackgroundPoller("queue", reader.read, RedisError, spawn=gevent.spawn)


def search_losses(settings: Settings) -> LossPoller:
    """The search for lost messages, in a thread of its own, with a store of its own."""
    redis = queue.connect(settings.redis_url, timeout_s=SEARCH_TIMEOUT_S)
    search = LossSearch(redis, open_store(settings))
    pool = ThreadPool(1)
    return BackgroundPoller(
        "ledger", lambda _: search.run(), (RedisError, StoreUnavailable), spawn=pool.spawn
    )


def look_up(settings: Settings) -> Lookup:
    """What reads single runs and messages, in a thread of its own, with a store of its own."""
    redis = queue.connect(settings.redis_url, timeout_s=QUEUE_TIMEOUT_S)
    return Lookup(redis, open_store(settings), ThreadPool(1))


def _terminate(sampler: object) -> None:
    """End the process after an unforeseen error of the sampler, so that it is restarted."""
    os.kill(os.getpid(), signal.SIGTERM)
