"""What wakes the sender: each request, in time, also where the loop is busy; and nothing after a stop."""

import asyncio
import platform
import re
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from load import kernel_timer, time_slice
from load.kernel_timer import KernelTimer
from load.pacer import Pacer, ThreadPacer, TimerPacer, pacer
from load.schedule import Schedule
from tests.support import event_loop

needs_timer = pytest.mark.skipif(not kernel_timer.is_available(), reason="no timerfd on this system")
PACERS = [pytest.param(TimerPacer, marks=needs_timer), ThreadPacer]

Kind = Callable[[Schedule, int, Callable[[], None]], Pacer]


def woken(kind: Kind, schedule: Schedule, *, busy_s: float = 0.0) -> list[int]:
    """How many requests were due at each wake-up, until all were."""

    async def scenario() -> list[int]:
        due: list[int] = []
        start_ns = time.monotonic_ns() + 20_000_000
        done = asyncio.Event()

        def wake() -> None:
            due.append(min(schedule.requests, schedule.next_after(time.monotonic_ns() - start_ns)))
            if due[-1] == schedule.requests:
                done.set()
            time.sleep(busy_s)

        made = kind(schedule, start_ns, wake)
        made.start()
        await asyncio.wait_for(done.wait(), 20)
        made.stop()
        return due

    return event_loop.run(scenario())


@pytest.mark.parametrize("kind", PACERS)
def test_it_wakes_for_every_request_up_to_the_last(kind: Kind) -> None:
    due = woken(kind, Schedule(200, 0.25))
    assert due[0] >= 1
    assert due == sorted(due)
    assert due[-1] == 50


@pytest.mark.parametrize("kind", PACERS)
def test_what_becomes_due_while_the_loop_is_busy_is_not_forgotten(kind: Kind) -> None:
    assert woken(kind, Schedule(1_000, 0.2), busy_s=0.01)[-1] == 200


@pytest.mark.parametrize("kind", PACERS)
def test_after_a_stop_it_wakes_no_more(kind: Kind) -> None:
    schedule = Schedule(100, 60)

    async def scenario() -> None:
        woken, third = 0, asyncio.Event()

        def wake() -> None:
            nonlocal woken
            woken += 1
            if woken == 3:
                third.set()

        made = kind(schedule, time.monotonic_ns(), wake)
        made.start()
        await asyncio.wait_for(third.wait(), 20)
        made.stop()
        await asyncio.sleep(0)  # what was asked for before it was stopped
        stopped_at = woken
        await asyncio.sleep(10 / schedule.rate)  # in which further ones would be due
        assert woken <= stopped_at + 1  # a thread may have been about to ask for one more

    event_loop.run(scenario())


@needs_timer
def test_a_timer_expires_at_its_time_and_not_before_it() -> None:
    async def scenario() -> int:
        timer = KernelTimer()
        expired = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(timer.fd, expired.set)
        at_ns = time.monotonic_ns() + 30_000_000
        timer.set(time.monotonic_ns() + 60_000_000_000)
        timer.set(at_ns)
        timer.clear()  # nothing to clear: it does not wait
        await asyncio.wait_for(expired.wait(), 10)
        late_ns = time.monotonic_ns() - at_ns
        loop.remove_reader(timer.fd)
        timer.close()
        return late_ns

    assert event_loop.run(scenario()) >= 0


def test_linux_gets_the_timer() -> None:
    async def kind() -> type:
        return type(pacer(Schedule(1, 1), 0, lambda: None))

    assert event_loop.run(kind()) is (TimerPacer if kernel_timer.is_available() else ThreadPacer)


KERNEL = tuple(map(int, re.findall(r"\d+", platform.release())[:2]))


@pytest.mark.skipif(sys.platform != "linux" or KERNEL < (6, 12), reason="Linux 6.12 or newer only")
def test_the_sender_runs_with_short_time_slices_and_its_children_with_usual_ones() -> None:
    """The kernel says so itself, where it was built to."""
    show = "print([line.split()[-1] for line in open('/proc/self/sched') if line.startswith('se.slice')])"
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {show!r}], check=True)"
    program = f"from load import time_slice; print(time_slice.shorten()); {show}"
    lines = _python(f"{program}; import sys; sys.stdout.flush(); {child}").splitlines()
    usual = _python(show).strip()
    if lines[0] != "True" or usual == "[]":
        pytest.skip("no time slices to choose on this system")
    assert lines[1:] == [f"['{time_slice.SLICE_NS}']", usual]


def _python(program: str) -> str:
    command = [sys.executable, "-c", program]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout
