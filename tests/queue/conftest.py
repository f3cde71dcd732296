"""Fixtures of the tests of queue and workers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.workers import FaultyStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FaultyStore]:
    store = FaultyStore(tmp_path / "messages.db")
    yield store
    store.close()
