"""Runs the producer: ``python -m producer``."""

import gc
import logging
import os
import secrets
import signal
import sys
import threading
import time
from contextlib import closing

from pipeline import admin_server, logs, tls_check
from pipeline.clock import NS_PER_MS, NS_PER_US, to_rfc3339
from pipeline.settings import Settings, load_or_exit
from pipeline.stop import SIGNALS
from pipeline.tokens import TokenSource
from producer.burst import BurstConfig, BurstTiming
from producer.clock_offset import ClockOffsetEstimator
from producer.delivery_tracker import DeliveryTracker
from producer.gateway_client import GatewayClient, Identity
from producer.retry_sender import RetrySender
from producer.schedule import Schedule, Ticker
from producer.scheduler import LEAD_NS, Scheduler
from producer.sender_pool import MAX_SENDERS, SenderPool

SPACING_NS = 700 * NS_PER_US
"""Between two messages of a burst. Measured on an idle 2-core machine, 100 bursts twice: with 700 µs the mean
from sent to arrival is 3.5 ms and the span's p99 8.4 and 10.3 ms; with 600 µs 4.5 ms, and 8.7 and 9.4 ms."""

READY_S = 15.0
"""A start waits this long for a gateway that accepts messages: else the first ones would show the start of
the other services as their transmission. After that they are sent, and sent again, as at any other time."""

GRACE_S = 8.0
"""A stop waits this long for pending messages."""

log = logging.getLogger("producer")


def main() -> int:
    """Send until SIGTERM or SIGINT; 0 after a stop, 1 if it can't listen, 2 where a setting is invalid."""
    settings = load_or_exit("producer", tls_check.producer)
    logs.setup(settings.name, settings.log_level)
    threading.excepthook = _exit_on_failure
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # in every thread: main waits for them
    tracker = DeliveryTracker()
    admin_server.serve_or_exit(settings, lambda: tracker.healthy, lambda: tracker.reason)
    if settings.rate == 0:
        log.info("FIZZBUZZ_RATE is 0: nothing to send")
        signal.sigwait(SIGNALS)
    else:
        _send(settings, tracker)
    return 0


def new_run(now_ns: int) -> str:
    """A name for a run that begins now; sorts after the names of earlier runs."""
    return f"{to_rfc3339(now_ns, timespec='milliseconds')}-{secrets.token_hex(2)}"


def _send(settings: Settings, tracker: DeliveryTracker) -> None:
    run = new_run(time.time_ns())
    offset = ClockOffsetEstimator(run)
    tokens = TokenSource(settings.tokens, settings.token_file)
    identity = Identity(lambda: tokens.first, run_key=secrets.token_urlsafe(24))

    def connect() -> GatewayClient:
        return GatewayClient(settings.gateway_url, run, identity, offset=offset, ca=settings.tls_ca)

    schedule = Schedule(settings.rate)
    timing = BurstTiming(min(LEAD_NS, schedule.period_ns // 2), settings.burst_span_ms * NS_PER_MS)
    senders = SenderPool(run, tracker, connect, timing=timing)
    stop = threading.Event()

    def send_bursts() -> None:
        with closing(connect()) as gateway:
            _wait_until_ready(gateway, stop)
        senders.start(min(settings.burst, MAX_SENDERS))
        RetrySender(tracker, connect).start()
        scheduler = _scheduler(schedule, timing, settings.burst, senders, tracker)
        gc.collect()
        gc.freeze()  # the collector need not traverse the libraries in the middle of a burst
        log.info("sending to %s", settings.gateway_url, extra={"run": run})
        scheduler.run(stop)

    bursts = threading.Thread(target=send_bursts, name="scheduler", daemon=True)
    bursts.start()
    signal.sigwait(SIGNALS)
    stop.set()
    bursts.join()
    _finish(senders, tracker, run)


def _wait_until_ready(gateway: GatewayClient, stop: threading.Event) -> None:
    deadline_s = time.monotonic() + READY_S
    while not gateway.ready() and time.monotonic() < deadline_s and not stop.wait(0.02):
        pass


def _scheduler(
    schedule: Schedule, timing: BurstTiming, size: int, senders: SenderPool, tracker: DeliveryTracker
) -> Scheduler:
    tolerance_ns = min(timing.span_ns, schedule.period_ns)
    # Even a large or fast burst has half of its time left when its last message is due.
    config = BurstConfig(size, min(SPACING_NS, tolerance_ns // 2 // size))
    ticker = Ticker(schedule, time.time_ns, tolerance_ns=tolerance_ns)
    return Scheduler(ticker, senders, tracker, config, lead_ns=timing.lead_ns)


def _finish(senders: SenderPool, tracker: DeliveryTracker, run: str) -> None:
    log.info("stopping", extra={"pending": tracker.pending})
    deadline_s = time.monotonic() + GRACE_S
    while not tracker.wait_until_delivered(0.1) and time.monotonic() < deadline_s:
        senders.expire_overdue()
    if pending := tracker.pending:
        log.error("stopped before all messages were acknowledged", extra={"run": run, "pending": pending})
    else:
        log.info("stopped: every message is acknowledged", extra={"run": run})


def _exit_on_failure(failure: threading.ExceptHookArgs) -> None:
    """End a producer that lost a thread: the supervisor starts a new one."""
    log.critical(
        "a thread failed",
        exc_info=(failure.exc_type, failure.exc_value or failure.exc_type(), failure.exc_traceback),
    )
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
