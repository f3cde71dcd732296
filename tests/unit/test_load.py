"""The load: what is planned, and what the report says of it."""

import pytest

from load import plan, report
from load.plan import Plan
from load.report import Stored
from load.tally import Tally


def test_every_number_is_sent_once_and_on_time() -> None:
    planned = Plan(rate=100, seconds=2, batch=10)
    numbers = [number for index in range(planned.requests) for number in planned.numbers(index)]
    assert numbers == list(range(200))
    assert [planned.due_s(index) for index in (0, 1, 10)] == [0, 0.1, 1]


def test_the_command_line_is_read() -> None:
    assert plan.read(["--rate", "500", "--for", "10"]) == Plan(500, 10, 1)
    assert plan.read(["--rate", "0.5", "--for", "4", "--batch", "1000"]) == Plan(0.5, 4, 1_000)


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--rate", "5"],
        ["--rate", "0", "--for", "1"],
        ["--rate", "-1", "--for", "1"],
        ["--rate", "100001", "--for", "1"],
        ["--rate", "nan", "--for", "1"],
        ["--rate", "1", "--for", "3601"],
        ["--rate", "1", "--for", "1", "--batch", "0"],
        ["--rate", "1", "--for", "1", "--batch", "1001"],
        ["--rate", "many", "--for", "1"],
    ],
)
def test_a_load_without_sense_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        plan.read(words)
    assert ended.value.code == 2
    assert "start.sh load" in capsys.readouterr().err


def tally() -> Tally:
    counted = Tally()
    for latency_ms in range(1, 101):
        counted.acknowledge(10, 0, latency_ms)
    counted.refuse(10, "503")
    return counted


def test_what_was_acknowledged_and_is_not_there_is_lost() -> None:
    assert report.lost(tally(), Stored(1_000, 0.1)) == 0
    assert report.lost(tally(), Stored(998, 30)) == 2
    assert report.lost(tally(), Stored(None, 30)) is None


def test_a_message_without_an_answer_that_was_stored_is_no_duplicate() -> None:
    assert report.duplicated(tally(), Stored(1_010, 0.1)) == 0
    assert report.duplicated(tally(), Stored(1_011, 0.1)) == 1


def test_the_report_tells_all_of_it() -> None:
    text = "\n".join(report.lines(tally(), Stored(1_000, 0.5), 10.0, "load-1"))
    for part in (
        "1,010 messages in 10.0 s, 101 a second",
        "10 × 503",
        "lost          0",
        "p50 50.0",
        "p99 99.0",
        "max 100.0",
    ):
        assert part in text


def test_where_the_page_shows_another_run_nothing_is_claimed() -> None:
    assert "not known" in report.lines(tally(), Stored(None, 30), 10.0, "load-1")[3]
