"""The environment of a process that a test starts: no settings but those that the test gives."""

import os

_KEPT = ("PATH", "COVERAGE_PROCESS_START", "COVERAGE_FILE")
"""coverage measures a process where these name its configuration, see ``.ci/run``."""


def bare() -> dict[str, str]:
    """What every process needs."""
    return {name: os.environ[name] for name in _KEPT if name in os.environ}
