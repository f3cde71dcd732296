"""The request to stop."""

import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from pipeline.stop import SIGNALS, Stop


@pytest.fixture
def _handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_wait_ends_after_its_time() -> None:
    assert not Stop().wait(0.01)


def test_a_request_ends_each_wait_now_and_later() -> None:
    stop = Stop()
    threading.Timer(0.05, stop.request).start()
    began = time.monotonic()
    assert stop.wait(60)
    assert stop.wait(60)
    assert stop.requested
    assert time.monotonic() - began < 30


def test_every_waiting_thread_sees_it() -> None:
    stop = Stop()
    threads = [threading.Thread(target=stop.wait, args=(60,), daemon=True) for _ in range(3)]
    for thread in threads:
        thread.start()
    stop.request()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)


@pytest.mark.usefixtures("_handlers")
@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_requests_it_and_ends_a_wait(number: signal.Signals) -> None:
    stop = Stop.on_signals()
    threading.Timer(0.05, os.kill, (os.getpid(), number)).start()
    began = time.monotonic()
    assert stop.wait(60)
    assert time.monotonic() - began < 30
