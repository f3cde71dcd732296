"""Polls a source in the background: one that may be slow, fail or never answer."""

import time
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

import gevent

from pipeline.redact import without_credentials
from web import formatting, metrics

Request = TypeVar("Request")
Value = TypeVar("Value")

POLL_TIMEOUT_S = 1.0
"""A poll without an answer for this long is an error. With a poll a second, waited for half a second,
the error is reported 1.5 s after the poll began, which is within 3 s of its cause."""

LATE_S = 3.0
"""An answer after this long ends no error: its window is of too long ago to be shown as that of now."""


class Task(Protocol):
    """A call that runs in a greenlet or in a thread of gevent's pool."""

    def get(self, *, block: bool, timeout: float) -> Any:
        """Its result. Raises what it raised, or gevent.Timeout."""


class BackgroundPoller(Generic[Request, Value]):
    """Polls a source that may be slow, fail or never answer: one call at a time; the last value is kept.

    Args:
        source: its name in errors and metrics, e.g. ``database``.
        read: the call; it may take long.
        unavailable: the exceptions by which ``read`` says that the source can't be read now.
        spawn: starts a call elsewhere and returns at once: ``gevent.spawn`` or a thread pool's.
        monotonic: a clock in seconds.
    """

    def __init__(
        self,
        source: str,
        read: Callable[[Request], Value],
        unavailable: type[Exception] | tuple[type[Exception], ...],
        *,
        spawn: Callable[..., Task],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source = source
        self._read = read
        self._unavailable = unavailable
        self._spawn = spawn
        self._monotonic = monotonic
        self._task: Task | None = None
        self._started_s = monotonic()
        self._failure: str | None = None
        self._was_late = False  # whether the last answer was
        self.value: Value | None = None
        """The last value read; None before the first."""
        self.at_s: float | None = None
        """When ``value`` was received, monotonic; None before the first."""

    @property
    def error(self) -> str | None:
        """Why the source can't be read now; None while it can."""
        waited_s = self._monotonic() - self._started_s
        late = self._was_late or (self._task is not None and waited_s > POLL_TIMEOUT_S)
        reason = f"no answer for more than {POLL_TIMEOUT_S:.0f} s" if late else self._failure
        return None if reason is None else formatting.unreadable(self._source, reason)

    def poll(self, request: Request) -> bool:
        """Start a call of ``read``, unless an earlier one still runs; whether one was started."""
        self.wait(0.0)
        if self._task is not None:
            return False
        self._started_s = self._monotonic()
        self._task = self._spawn(self._call, request)
        return True

    def forget(self) -> None:
        """Forget the last value."""
        self.value = self.at_s = None

    def wait(self, timeout_s: float) -> None:
        """Wait for the result of the call that runs, ``timeout_s`` at most."""
        if self._task is None:
            return
        try:
            value, self._failure, self._was_late = self._task.get(block=True, timeout=max(0.0, timeout_s))
        except gevent.Timeout:
            return
        self._task = None
        if self._failure is None:
            self.value, self.at_s = value, self._monotonic()
        else:
            metrics.READING_ERRORS.labels(self._source).inc()

    def _call(self, request: Request) -> tuple[Value | None, str | None, bool]:
        """A value or an error; and whether it came late: an old value ends no silence."""
        try:
            return self._read(request), None, self._monotonic() - self._started_s > LATE_S
        except self._unavailable as error:
            return None, without_credentials(str(error)), False
