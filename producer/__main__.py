"""Runs the producer: ``python -m producer``."""

import gc
import logging
import os
import secrets
import signal
import sys
import threading
import time

from pipeline import logs, ops
from pipeline.clock import NS_PER_MS, NS_PER_US, to_rfc3339
from pipeline.settings import Settings, of_process
from pipeline.tokens import TokenSource
from producer.backlog import Backlog
from producer.burst import Shape
from producer.clocks import Clocks
from producer.conductor import LEAD_NS, Conductor
from producer.drain import Drain
from producer.lanes import LANES, Lanes
from producer.ledger import Ledger
from producer.post import Identity, Post
from producer.schedule import Metronome, Timetable

GAP_NS = 700 * NS_PER_US
"""Between two messages of a burst. Measured on an idle 2-core machine, 100 bursts twice: with 700 µs the mean
from sent to arrival is 3.5 ms and the span's p99 8.4 and 10.3 ms; with 600 µs 4.5 ms, and 8.7 and 9.4 ms."""

GRACE_S = 8.0
"""A stop lets the backlog drain for as long as this."""

_STOPS = {signal.SIGTERM, signal.SIGINT}

log = logging.getLogger("producer")


def main() -> int:
    """Send until SIGTERM or SIGINT; 0 after a stop, 2 where a setting makes no sense."""
    settings = of_process("producer")
    logs.setup(settings.name, settings.log_level)
    threading.excepthook = _end
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)  # every thread's: main waits for them
    backlog = Backlog()
    ledger = Ledger(backlog)
    try:
        ops.serve(settings, lambda: ledger.healthy)
    except OSError as error:
        log.error("can't listen on port %d: %s", settings.metrics_port, error)
        return 1
    if settings.rate == 0:
        log.info("FIZZBUZZ_RATE is 0: nothing to send")
        signal.sigwait(_STOPS)
    else:
        _send(settings, backlog, ledger)
    return 0


def new_run(now_ns: int) -> str:
    """A name for a run that begins now; later runs sort behind earlier ones."""
    return f"{to_rfc3339(now_ns, timespec='milliseconds')}-{secrets.token_hex(2)}"


def _send(settings: Settings, backlog: Backlog, ledger: Ledger) -> None:
    run = new_run(time.time_ns())
    clocks = Clocks(run)
    tokens = TokenSource(settings.tokens, settings.token_file)
    identity = Identity(lambda: tokens.first, run_key=secrets.token_urlsafe(24))

    def connect() -> Post:
        return Post(settings.gateway_url, run, identity, clocks=clocks)

    lanes = Lanes(run, ledger, connect, span_ns=settings.burst_span_ms * NS_PER_MS)
    lanes.start(min(settings.burst, LANES))
    Drain(backlog, ledger, connect).start()
    conductor = _conductor(settings, lanes, backlog)
    gc.collect()
    gc.freeze()  # the collector need not look through the libraries in the middle of a burst
    log.info("sending to %s", settings.gateway_url, extra={"run": run})
    stop = threading.Event()
    bursts = threading.Thread(target=conductor.run, args=(stop,), name="conductor", daemon=True)
    bursts.start()
    signal.sigwait(_STOPS)
    stop.set()
    bursts.join()
    _finish(lanes, backlog, run)


def _conductor(settings: Settings, lanes: Lanes, backlog: Backlog) -> Conductor:
    timetable = Timetable(settings.rate)
    span_ns = settings.burst_span_ms * NS_PER_MS
    # Even a large or fast burst has half of its time left when its last message is due.
    half_ns = min(span_ns, timetable.period_ns) // 2
    return Conductor(
        Metronome(timetable, time.time_ns, tolerance_ns=min(span_ns, timetable.period_ns)),
        lanes,
        backlog,
        Shape(settings.burst, min(GAP_NS, half_ns // settings.burst)),
        lead_ns=min(LEAD_NS, timetable.period_ns // 2),
    )


def _finish(lanes: Lanes, backlog: Backlog, run: str) -> None:
    log.info("stopping", extra={"unsettled": backlog.unsettled})
    deadline_s = time.monotonic() + GRACE_S
    while not backlog.wait_settled(0.1) and time.monotonic() < deadline_s:
        lanes.sweep()
    if backlog.unsettled:
        log.error(
            "stopped before all messages were acknowledged", extra={"run": run, "left": backlog.unsettled}
        )
    else:
        log.info("stopped: every message is acknowledged", extra={"run": run})


def _end(failure: threading.ExceptHookArgs) -> None:
    """A producer that lost a thread is broken: end it, so that the supervisor starts a new one."""
    log.critical(
        "a thread failed",
        exc_info=(failure.exc_type, failure.exc_value or failure.exc_type(), failure.exc_traceback),
    )
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
