"""In CI a skip that is not on the list fails."""

import pytest

from tests.support import skips


def report(reason: str) -> pytest.TestReport:
    skipped = ("tests/x.py", 1, f"Skipped: {reason}")
    return pytest.TestReport("x", ("x.py", 1, "x"), {}, "skipped", skipped, "setup")


def test_in_ci_a_skip_that_is_not_on_the_list_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    judged = skips.judge(report("no haproxy on PATH"))
    assert judged.failed
    assert "no haproxy on PATH" in str(judged.longrepr)


def test_in_ci_a_skip_on_the_list_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    assert skips.judge(report("engine 26.1.5 can't isolate bridges: that needs 28 or newer")).skipped


def test_a_cluster_need_not_run_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    assert skips.judge(report("the cluster of ../shared/kubernetes/setup.sh does not run")).skipped


def test_elsewhere_a_skip_is_a_skip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    assert skips.judge(report("no haproxy on PATH")).skipped
