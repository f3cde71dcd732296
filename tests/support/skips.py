"""Which tests may be skipped in CI: a green run must not have left out what a promise rests on."""

import os
import re

import pytest

ALLOWED = {
    r"engine \S+ can't isolate bridges": "Docker before version 28 can't do what the test is about",
    r"neither an ordinary user nor able to mount": "a container without privileges can't mount",
    r"the containers' processes can't be killed from here": "the engine is a remote one",
    r"the server of INFLUXDB_URL can't be frozen from here": "it is not a process of this machine",
    r"no redis-server with TLS on PATH": "the one in a wheel has none",
    r"no \.\./shared/kubernetes/setup\.sh": "a cluster is made by that script, beside the checkout",
    r"the cluster of \.\./shared/kubernetes/setup\.sh does not run": "it may not be built: see .ci/run",
}
"""Patterns of reasons, each with why that is no gap."""


def judge(report: pytest.TestReport) -> pytest.TestReport:
    """The report; in CI a skip whose reason is not in ``ALLOWED`` becomes a failure."""
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("CI"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if not any(re.search(pattern, reason) for pattern in ALLOWED):
            report.outcome = "failed"
            report.longrepr = f"skipped in CI, and not in tests/support/skips.py: {reason}"
    return report
