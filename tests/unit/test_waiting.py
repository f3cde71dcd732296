"""The tests' own stopwatch: time in which processes waited for a processor or a disk does not count."""

import time
from pathlib import Path

import pytest

from tests.support import waiting
from tests.support.waiting import MOST, Stopwatch, awaited, never, until


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    time_s = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: time_s[0])
    monkeypatch.setattr(time, "sleep", lambda seconds: time_s.__setitem__(0, time_s[0] + seconds))
    return time_s


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(waiting, "PRESSURE", tmp_path)
    return tmp_path


def _write(pressure: Path, waited_s: float, resource: str = "cpu") -> None:
    (pressure / resource).write_text(
        f"some avg10=1.00 avg60=0.00 avg300=0.00 total={waited_s * 1e6:.0f}\nfull avg10=0.00 total=0\n"
    )


def test_what_others_had_the_processors_for_does_not_count(now: list[float], waited: Path) -> None:
    _write(waited, 50)
    watch = Stopwatch()
    now[0] += 10
    _write(waited, 57)
    assert watch.seconds == pytest.approx(3)


def test_of_waits_for_processors_and_disks_the_longer_one_does_not_count(
    now: list[float], waited: Path
) -> None:
    _write(waited, 50)
    _write(waited, 20, "io")
    watch = Stopwatch()
    now[0] += 10
    _write(waited, 52)
    _write(waited, 26, "io")
    assert watch.seconds == pytest.approx(4)


def test_a_part_of_it_always_counts(now: list[float], waited: Path) -> None:
    _write(waited, 50)
    watch = Stopwatch()
    now[0] += 12
    _write(waited, 62)
    assert watch.seconds == 12 / MOST


def test_all_of_it_counts_where_the_kernel_does_not_report(now: list[float], waited: Path) -> None:
    watch = Stopwatch()
    now[0] += 10
    assert watch.seconds == 10


def test_a_wait_ends_and_names_what_did_not_come(now: list[float], waited: Path) -> None:
    with pytest.raises(AssertionError, match=r"the flood: \[\], not within 2 s"):
        until(list, 2, "the flood")
    assert now[0] == pytest.approx(102, abs=0.1)
    assert until(lambda: now[0] > 103, 2) == pytest.approx(1, abs=0.1)


def test_the_answer_that_fits_is_the_one_to_judge(now: list[float], waited: Path) -> None:
    answers = iter([3, 4, 5, 6])
    assert awaited(lambda: next(answers), lambda answer: answer > 4) == 5
    with pytest.raises(AssertionError, match=r"the ebb: 'high', not within 2 s"):
        awaited(lambda: "high", lambda answer: answer == "low", 2, "the ebb")


def test_a_wait_in_vain_shows_the_end_of_the_log(now: list[float], waited: Path, tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    log.write_text("".join(f"line {number}\n" for number in range(100)))
    with pytest.raises(AssertionError, match=r"not within 2 s\nline 80\n(?s:.*)\nline 99$"):
        until(lambda: False, 2, log=log)
    with pytest.raises(AssertionError, match=r"not within 2 s$"):
        until(lambda: False, 2, log=tmp_path / "none.log")


def test_what_does_not_happen_is_waited_for_in_vain_for_as_long_as_asked(
    now: list[float], waited: Path
) -> None:
    assert never(lambda: False, 2)
    assert now[0] == pytest.approx(102, abs=0.1)
    assert not never(lambda: now[0] > 103, 2)
    assert now[0] == pytest.approx(103, abs=0.1)
