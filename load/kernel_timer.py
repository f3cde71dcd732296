"""A timer of the Linux kernel, exact to microseconds, that an event loop can wait for (timerfd_create(2)).

Python 3.13 has it in ``os``; through ctypes it works on 3.11 too.
"""

import ctypes
import os
import sys

_CLOCK_MONOTONIC = 1
_TFD_TIMER_ABSTIME = 1


class _Timespec(ctypes.Structure):
    _fields_ = (("s", ctypes.c_long), ("ns", ctypes.c_long))


class _Itimerspec(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


def is_available() -> bool:
    """Whether this system has such timers, with times of 64 bits."""
    return sys.platform == "linux" and ctypes.sizeof(ctypes.c_long) == 8


class KernelTimer:
    """Its descriptor is readable once the time has come. Close it at the end."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self.fd: int = self._libc.timerfd_create(_CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        self._check(self.fd)

    def set(self, at_ns: int) -> None:
        """Expire at ``at_ns`` of ``time.monotonic_ns()``, at once if that is past."""
        value = _Timespec(*divmod(max(1, at_ns), 1_000_000_000))
        spec = _Itimerspec(_Timespec(0, 0), value)
        self._check(self._libc.timerfd_settime(self.fd, _TFD_TIMER_ABSTIME, ctypes.byref(spec), None))

    def clear(self) -> None:
        """Not readable any more, until it expires again."""
        try:
            os.read(self.fd, 8)
        except BlockingIOError:  # it was set again in between
            return

    def close(self) -> None:
        os.close(self.fd)

    def _check(self, result: int) -> None:
        if result < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
