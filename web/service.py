"""The service as it runs in the server's worker process. Imported there, after gevent's patching."""

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
from web.asking import Asking
from web.database import Database, DatabaseReading
from web.jobs import Jobs, QueueReading
from web.limits import max_streams
from web.live import Live
from web.reader import Reader


def serve(settings: Settings) -> Flask:
    """Start the reader and return the app that shows its readings."""
    exit_with_parent()
    reader = Reader(ask_database(settings), ask_queue(settings), store=settings.store, name=settings.name)
    live = Live(reader.read())
    app = create(live, time.time_ns, bind=settings.bind, hosts=settings.hosts, max_streams=max_streams())
    app.extensions["live"] = live
    gevent.spawn(reader.run, live.publish).link_exception(_give_up)
    return app


def ask_database(settings: Settings) -> Asking[int, DatabaseReading]:
    """The database, read in a thread of its own: SQLite would hold up every stream while it reads."""
    database = Database(open_store(settings))
    pool = ThreadPool(1)
    return Asking("database", database.read, StoreUnavailable, spawn=pool.spawn)


def ask_queue(settings: Settings) -> Asking[Sequence[str], QueueReading]:
    """The queue, read in a greenlet: its client only waits."""
    jobs = Jobs(queue.connect(settings.redis_url, timeout_s=1.0))
    return Asking("queue", jobs.read, RedisError, spawn=gevent.spawn)


def _give_up(reader: object) -> None:
    """A reader that failed, which no promise foresees, is started anew with its process."""
    os.kill(os.getpid(), signal.SIGTERM)
