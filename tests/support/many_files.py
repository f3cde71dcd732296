"""Room for thousands of connections in the process of a test."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager

WANTED = 20_000


@contextmanager
def many_files() -> Iterator[None]:
    """Allow this process as many open files meanwhile."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(WANTED, hard), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
