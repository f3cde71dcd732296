"""A wall clock that a test sets, for all that workers and RQ read; the monotonic clock runs on."""

import datetime as real
import time
from types import SimpleNamespace

import pytest
import rq.utils


class Clock:
    """The clock of this process until the test ends."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._offset_s = 0.0
        read_s, read_ns = time.time, time.time_ns
        clock = self

        class Shifted(real.datetime):
            @classmethod
            def now(cls, tz: real.tzinfo | None = None) -> "Shifted":
                moment = real.datetime.fromtimestamp(read_s() + clock._offset_s, tz)
                return cls.combine(moment.date(), moment.timetz())

        shim = SimpleNamespace(datetime=Shifted, timezone=real.timezone, timedelta=real.timedelta)
        monkeypatch.setattr(rq.utils, "datetime", shim)
        monkeypatch.setattr(time, "time", lambda: read_s() + self._offset_s)
        monkeypatch.setattr(time, "time_ns", lambda: read_ns() + int(self._offset_s * 1e9))

    def step(self, seconds: float) -> None:
        self._offset_s += seconds
