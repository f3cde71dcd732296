"""Runs a queue worker: ``python -m worker``."""

import logging
import os
import sys
import threading

from pipeline.stop import Stop

NICENESS = 10
"""No caller waits for the worker, so it yields the CPU to the services that answer requests."""

log = logging.getLogger("worker")


def main() -> int:
    """Run until SIGTERM or SIGINT; 0 after a clean stop, 1 if it can't listen or Sentinel does not know the
    primary, 2 if a setting is invalid."""
    stop = Stop.on_signals()  # before the imports, which take half a second
    from pipeline import admin_server, essential, logs, tls_check
    from pipeline.queue import client as queue
    from pipeline.queue.state_reporter import StateReporter
    from pipeline.settings import load_or_exit
    from pipeline.store import open_store
    from worker.worker import Worker

    settings = load_or_exit("worker", tls_check.worker)
    logs.setup(settings.name, settings.log_level)
    os.nice(NICENESS)
    if wrong := queue.wrong_name(settings.redis_url):
        log.error("%s", wrong)
        return 1
    store = open_store(settings)
    redis = queue.connect(settings.redis_url)
    worker = Worker(settings.name, redis, store, stop, replicas=settings.redis_replicas)
    admin_server.serve_or_exit(settings, lambda: worker.ready)
    reporter = StateReporter(queue.connect(settings.redis_url, timeout_s=1.0), settings.name)
    ended = threading.Event()
    reporting = essential.start("state", lambda: reporter.run(worker.condition, ended))
    log.info("processing the queue, storing to %s", settings.store)
    worker.run()
    ended.set()
    reporting.join(2.0)
    reporter.report(("stopped", "", None))
    store.close()
    log.info("stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
