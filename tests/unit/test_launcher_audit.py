"""The audit below the services."""

import json

import pytest

from launcher import audit, readiness
from launcher.audit import Audit
from pipeline.settings import read

WELL = {"accepted": 134_220, "stored": 134_200, "waiting": 20, "failed": 0, "unaccounted": 0}


def test_the_audit_is_one_line_and_each_condition_another() -> None:
    wrong = [{"code": "store_unwritable", "text": "The database can't be written.", "since": "…"}]
    assert Audit(WELL, wrong).lines() == [
        "accepted 134,220 = stored 134,200 + waiting 20 + failed 0",
        "store_unwritable: The database can't be written.",
    ]


def test_what_is_missing_or_unknown_is_said() -> None:
    lost = {**WELL, "stored": 134_198, "unaccounted": 2}
    assert Audit(lost, []).lines()[0].endswith("+ failed 0 + unaccounted 2")
    unknown = {**WELL, "accepted": None, "unaccounted": None}
    assert Audit(unknown, []).lines() == ["accepted ? = stored 134,200 + waiting 20 + failed 0"]


@pytest.mark.parametrize("answer", [(0, b""), (503, b"{}"), (200, b"<html>"), (200, b"{}"), (200, b"[]")])
def test_a_page_that_reports_nothing_leaves_the_audit_out(
    monkeypatch: pytest.MonkeyPatch, answer: tuple[int, bytes]
) -> None:
    monkeypatch.setattr(readiness, "get", lambda url: answer)
    assert audit.read(read({}, "web")) is None


def test_the_audit_is_read_from_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    body = json.dumps({"ledger": WELL, "conditions": []}).encode()
    monkeypatch.setattr(
        readiness, "get", lambda url: (200, body) if url.endswith("/fizzbuzz/stats") else (0, b"")
    )
    assert audit.read(read({}, "web")) == Audit(WELL, [])
