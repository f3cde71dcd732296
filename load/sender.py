"""Sends a schedule to a gateway, open loop, and measures what comes of it."""

import asyncio
import gc
import time
from collections.abc import Callable

from load import time_slice
from load.attempts import ScheduledRequest
from load.encoder import Encoder
from load.ledger import Ledger
from load.measurements import Measurements
from load.options import Options
from load.pacer import pacer
from load.pool import Pool
from load.schedule import Schedule
from load.target import Target

LEAD_NS = 100_000_000
"""Between the last preparation and the first request."""
GIVE_UP_S = 30.0
"""How long attempts continue after the last request was due."""
INTERRUPTED_S = 3.0
"""How long after an interruption answers are waited for."""
_TICK_S = 0.05


class Sender:
    """One run. Create and use it inside of a running event loop.

    Args:
        target: where to send to.
        run: the run's name.
        key: the run's key, which keeps other senders from adding to it.
        options: rate, length and manner of sending.
        progress: called about 20 times a second with the messages whose outcome is known.
    """

    def __init__(
        self, target: Target, run: str, key: str, options: Options, progress: Callable[[int], object]
    ) -> None:
        self.schedule = Schedule(options.rate, options.seconds, options.batch)
        headers = {"Authorization": f"Bearer {target.token}"} if target.token else {}
        self._encoder = Encoder(target.gateway_url, run, {"Run-Key": key, **headers})
        self._options, self._progress = options, progress
        self._loop = asyncio.get_running_loop()
        self._pool = Pool(target.gateway_url, options.connections, options.timeout_s, target.ca)
        self._next = 0
        self._open: set[ScheduledRequest] = set()
        self._stopped_s: float | None = None
        self.start_ns = 0
        self.measured = Measurements(self.schedule, Ledger(options.batch), 0)

    async def run(self) -> Measurements:
        """Send all; returns when every request was answered 202 or given up."""
        time_slice.shorten()
        await self._pool.connect()
        gc.collect()
        gc.freeze()
        self.start_ns = time.monotonic_ns() + LEAD_NS
        self.measured.started_ns = time.time_ns() + LEAD_NS
        pace = pacer(self.schedule, self.start_ns, self._send_due)
        pace.start()
        try:
            while not self._is_done():
                await asyncio.sleep(_TICK_S)
                self._pool.expire_overdue()
                self._progress(self._messages_done())
        finally:
            pace.stop()
        self._stopped_s = self._loop.time() if self._stopped_s is None else self._stopped_s
        self._pool.close(lambda request: None)
        for request in list(self._open):
            request.give_up()
        self._progress(self._messages_done())
        return self.measured

    def stop(self) -> None:
        """Send nothing more, and wait a little for answers; for a signal handler."""
        if self._stopped_s is None:
            self._stopped_s = self._loop.time()
            self.measured.interrupted = True

    def encode(self, index: int) -> bytes:
        """The bytes of a request."""
        return self._encoder.request(self.schedule.numbers(index))

    def may_retry(self, request: ScheduledRequest) -> bool:
        """Whether a request that was not answered 202 is sent again."""
        return self._options.retry and self._stopped_s is None and not (request.hopeless and self._all_due)

    def later(self, delay_s: float, request: ScheduledRequest) -> None:
        """Send ``request`` again after ``delay_s``."""
        self._loop.call_later(delay_s, self._resend, request)

    def end(self, request: ScheduledRequest, *, acknowledged: bool) -> None:
        """A request was answered 202, or is given up."""
        self._open.discard(request)
        self.measured.ended(request.index, time.monotonic_ns() - request.due_ns, acknowledged=acknowledged)

    @property
    def _all_due(self) -> bool:
        return self._next >= self.schedule.requests

    def _send_due(self) -> None:
        now_ns = time.monotonic_ns()
        while self._stopped_s is None and not self._all_due:
            due_ns = self.start_ns + self.schedule.due_ns(self._next)
            if due_ns > now_ns:
                return
            now_ns = time.monotonic_ns()
            self.measured.due(now_ns - due_ns)
            request = ScheduledRequest(self, self._next, due_ns, now_ns)
            self._open.add(request)
            self._next += 1
            self._pool.submit(request)

    def _resend(self, request: ScheduledRequest) -> None:
        if request not in self._open:
            return
        if self.may_retry(request):
            self._pool.submit(request)
        else:
            request.give_up()

    def _is_done(self) -> bool:
        if self._stopped_s is not None:
            return not self._open or self._loop.time() - self._stopped_s > INTERRUPTED_S
        if not self._all_due:
            return False
        last_ns = self.start_ns + self.schedule.due_ns(self.schedule.requests - 1)
        return not self._open or time.monotonic_ns() - last_ns > GIVE_UP_S * 1e9

    def _messages_done(self) -> int:
        return min(self.schedule.messages, (self._next - len(self._open)) * self.schedule.batch)
