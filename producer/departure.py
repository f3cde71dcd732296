"""The moment a message leaves: not before it is due, and stamped when it goes."""

import time
from collections.abc import Callable
from typing import Any, Protocol

import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection

from pipeline.clock import NS_PER_MS, NS_PER_S, Clock

SLICE_NS = 100 * NS_PER_MS
"""The wall clock is read this often, since it may be set while one waits."""


class Departure(Protocol):
    """When a request may leave, and the ``sent_at`` of its message."""

    def wait(self) -> None:
        """Return when the request may leave."""

    def leave(self) -> int:
        """The message's ``sent_at``, Unix nanoseconds; called when its body goes out."""


class First:
    """A message's first try. Its ``sent_at`` is read from the clock when it leaves.

    Args:
        due_ns: it leaves no earlier than this, Unix nanoseconds.
        latest_ns: if it leaves later than this (the machine slept), its due time is its ``sent_at``.
        most_early_ns: nobody prepares a message longer than this before it is due; if it is due later, the
            clock was set back, and it leaves at once.
    """

    def __init__(
        self,
        due_ns: int,
        latest_ns: int,
        clock: Clock,
        *,
        most_early_ns: int,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._due_ns = due_ns
        self._latest_ns = latest_ns
        self._clock = clock
        self._most_early_ns = most_early_ns
        self._sleep = sleep
        self.left_ns: int | None = None
        """When it left, if it did so in time."""

    def wait(self) -> None:
        while 0 < (early_ns := self._due_ns - self._clock()) <= self._most_early_ns:
            self._sleep(min(early_ns, SLICE_NS) / NS_PER_S)

    def leave(self) -> int:
        now_ns = self._clock()
        if now_ns <= self._latest_ns:
            self.left_ns = now_ns
        return self.sent_ns

    @property
    def sent_ns(self) -> int:
        """When it left, or should have."""
        return self._due_ns if self.left_ns is None else self.left_ns


class Repeat:
    """A further try: leaves at once, with the first ``sent_at``."""

    def __init__(self, sent_ns: int) -> None:
        self._sent_ns = sent_ns

    def wait(self) -> None:
        """Nothing to wait for."""

    def leave(self) -> int:
        return self._sent_ns


class PunctualAdapter(HTTPAdapter):
    """For requests: does all its work on a request ahead, then waits for its departure.

    A request whose body has a ``departure`` sends its first byte when that lets it. Measured on a busy
    2-core machine, ten lanes at once, medians: the span from 14 to 4 ms, the start from 2.8 to 0.3 ms.
    """

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}


class _Punctual(HTTPConnection):
    _departure: Departure | None = None
    _head: bytes | None = None
    """The request's head, while it waits for the first piece of the body: they leave in one packet."""
    _holding = False

    def request(
        self,
        method: str,
        url: str,
        body: Any = None,
        headers: Any = None,
        **options: Any,
    ) -> None:
        self._departure = getattr(body, "departure", None)
        super().request(method, url, body=body, headers=headers, **options)

    def endheaders(self, *args: Any, **kwargs: Any) -> None:
        if self.sock is None:
            self.connect()
        if self._departure:
            self._departure.wait()
        self._holding = self._departure is not None
        super().endheaders(*args, **kwargs)
        self._holding = False

    def send(self, data: Any) -> None:
        if self._holding:
            self._head = data
            return
        if self._head is not None:
            data, self._head = self._head + data, None
        super().send(data)


class _PunctualHttps(_Punctual, HTTPSConnection):
    pass


class _HttpPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Punctual


class _HttpsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _PunctualHttps
