"""The request to stop."""

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pipeline.stop import SIGNALS, Stop

PROJECT = Path(__file__).parents[2]


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


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_requests_it_and_ends_a_wait(number: signal.Signals) -> None:
    """In a process of its own: a signal to this one could land in another test."""
    code = """
import sys
from pipeline.stop import Stop
stop = Stop.on_signals()
print("waiting", flush=True)
sys.exit(0 if stop.wait(60) and stop.requested else 1)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=PROJECT) as process:
        assert process.stdout
        assert process.stdout.readline() == b"waiting\n"
        process.send_signal(number)
        assert process.wait(30) == 0
