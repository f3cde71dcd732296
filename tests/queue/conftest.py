"""Fixtures of the tests of queue and workers."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.workers import FaultyStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FaultyStore]:
    store = FaultyStore(tmp_path / "messages.db")
    yield store
    store.close()


@pytest.fixture(autouse=True)
def _signals_as_before() -> Iterator[None]:
    """RQ's workers replace the process's signal handlers and leave them so."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)
