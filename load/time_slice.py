"""Asks the kernel for short time slices, so that a process which often sleeps runs soon after it wakes.

Linux's scheduler (EEVDF, since 6.12) lets every process choose its own: one with short slices waits less, and
gets no more of the processor in all. An older kernel ignores it. See sched_setattr(2) and
https://docs.kernel.org/scheduler/sched-eevdf.html
"""

import ctypes
import os
import platform
import sys

SLICE_NS = 100_000
"""The shortest that the kernel allows."""

_SCHED_SETATTR = {"x86_64": 314, "aarch64": 274}
"""The number of the system call; not every C library has a function for it."""

_RESET_ON_FORK = 1
"""What this process starts gets slices as usual."""


class _SchedAttr(ctypes.Structure):
    _fields_ = (
        ("size", ctypes.c_uint32),
        ("policy", ctypes.c_uint32),  # 0: SCHED_OTHER
        ("flags", ctypes.c_uint64),
        ("nice", ctypes.c_int32),
        ("priority", ctypes.c_uint32),
        ("runtime_ns", ctypes.c_uint64),
        ("deadline_ns", ctypes.c_uint64),
        ("period_ns", ctypes.c_uint64),
    )


def shorten() -> bool:
    """Ask for the calling thread; whether the system knows the request."""
    number = _SCHED_SETATTR.get(platform.machine())
    if sys.platform != "linux" or number is None or ctypes.sizeof(ctypes.c_long) != 8:
        return False
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    attributes = _SchedAttr(ctypes.sizeof(_SchedAttr), 0, _RESET_ON_FORK, nice, 0, SLICE_NS, 0, 0)
    return bool(ctypes.CDLL(None).syscall(number, 0, ctypes.byref(attributes), 0) == 0)
