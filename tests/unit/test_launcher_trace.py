"""What ``./start.sh trace`` prints."""

from launcher.trace import lines
from web.trace import as_json, of_unsearched


def test_a_message_whose_job_was_not_searched_waits_and_says_so() -> None:
    text = lines(as_json(of_unsearched("run-1", 7, "waiting")))
    assert text[:2] == ["run run-1, number 7", "now: waits in the queue"]
    assert text[2].startswith("note: only the oldest 5,000 jobs of each kind were searched")


def test_a_failed_message_says_its_reason() -> None:
    text = lines({"run": "run-1", "number": 7, "state": "failed", "job": "j", "reason": "too large"})
    assert text[-2:] == ["now: failed: it can't be stored as it is (job j)", "reason: too large"]
