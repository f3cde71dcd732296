"""The report of a load: text, JSON and HTML agree."""

import json
import os
import re
from typing import Any

import pytest
from hdrh.histogram import HdrHistogram

from load import find_max, html_report, machine, result, text_report, verification
from load.ledger import Ledger
from load.measurements import Measurements
from load.options import Options
from load.page_watch import Observations
from load.result import Result, Run
from load.schedule import Schedule
from load.verification import Verification, verify

OPTIONS = Options(rate=100, seconds=2)


def measurements(*, behind_ms: float = 0.1, answered: int = 200) -> Measurements:
    """200 messages in two seconds with 1 to 200 ms; the first ``answered`` were acknowledged."""
    made = Measurements(Schedule(100, 2), Ledger(), 1_767_225_600 * 10**9)
    for number in range(200):
        made.due(round(behind_ms * 1e6))
        made.left(number, 0, made.schedule.due_ns(number))
        if number < answered:
            made.ledger.acknowledged(number, 1, number)
        made.ended(number, (number + 1) * 10**6, acknowledged=number < answered)
    return made


def make(measured: Measurements | None = None, stored: int = 200, **seen: Any) -> Result:
    measured = measured or measurements()
    rows = [(number, number * 1_000) for number in range(stored)]
    later_s = iter(range(0, 999, 10)).__next__
    checked = verify(
        measured.ledger, lambda run: iter(rows), "load-1", now_s=later_s, sleep=lambda seconds: None
    )
    observations = Observations()
    for at_s, stats in seen.get("readings", ()):
        observations.add(at_s, stats)
    return result.make(Run("load-1", "sqlite"), OPTIONS, measured, checked, observations)


def said(found: Result) -> dict[str, str]:
    return dict(line.split(maxsplit=1) for line in text_report.lines(found))


def test_a_good_run() -> None:
    found = make()
    assert found["verdict"] == "VALID"
    text = said(found)
    assert text["acknowledged"] == "200"
    assert text["stored"] == f"200 in the database, checked {found['verified_after_s']:.1f} s long"
    assert [text[name] for name in result.SETS] == ["0"] * 5
    assert text["sent"] == "200 messages in 2.0 s, 101 a second"
    assert text["verdict"].startswith("VALID")
    assert text_report.lines(found)[-1].startswith("verdict")
    assert "note" not in text


def test_a_run_that_was_stopped_says_so_in_its_verdict_everywhere() -> None:
    measured = measurements()
    measured.interrupted = True
    measured.schedule = Schedule(100, 300)
    found = make(measured)
    stopped = "stopped after 200 of 30,000 messages"
    assert (found["verdict"], found["interrupted"], found["sent"], found["planned"]) == (
        "VALID",
        True,
        200,
        30_000,
    )
    assert said(found)["verdict"] == f"VALID  {stopped}; every acknowledged message is stored exactly once"
    assert said(found)["note"].startswith(stopped)
    assert f"<b>VALID</b>{stopped}" in html_report.page([found])
    assert stopped not in html_report.page([make()])


def test_latencies_are_those_of_all_messages() -> None:
    found = make()
    assert found["latency_ms"]["p50"] == pytest.approx(100, rel=0.002)
    assert found["latency_ms"]["p99"] == pytest.approx(198, rel=0.002)
    assert found["latency_ms"]["max"] == pytest.approx(200, rel=0.002)
    decoded = HdrHistogram.decode(found["histogram"]["encoded"].encode())
    assert decoded.get_total_count() == found["histogram"]["count"] == 200
    assert decoded.get_value_at_percentile(50) == pytest.approx(100_000, rel=0.002)


def test_failures_stay_in_the_latencies() -> None:
    found = make(measurements(answered=100), stored=150)
    assert (found["acknowledged"], found["unknown"], found["recovered"]) == (100, 100, 50)
    assert found["histogram"]["count"] == 200
    assert found["latency_ms"]["max"] == pytest.approx(200, rel=0.002)
    assert "100 messages without a 202" in said(found)["note"]


def test_a_broken_run_names_the_numbers() -> None:
    found = make(stored=190)
    assert (found["verdict"], found["lost"]) == ("INVALID", 10)
    assert found["numbers"]["lost"] == [[190, 199]]
    assert said(found)["lost"] == "10  acknowledged and not in the database: 190–199"
    assert said(found)["verdict"] == "INVALID  10 lost"


def test_where_the_database_is_not_read_nothing_is_claimed() -> None:
    measured = measurements()
    unread = Verification(None, "it is unavailable", 30.0)
    found = result.make(Run("load-1", "sqlite"), OPTIONS, measured, unread, Observations())
    assert (found["verdict"], found["lost"], found["stored"]) == ("UNDECIDED", None, None)
    assert said(found)["lost"] == "not known"
    assert said(found)["stored"] == "not known: it is unavailable"
    assert "it is unavailable" in said(found)["verdict"]
    assert "UNDECIDED" in html_report.page([found])


def test_a_late_sender_is_reported_separately() -> None:
    found = make(measurements(behind_ms=11))
    assert found["generator_was_the_limit"]
    assert found["behind_ms"]["p99"] == pytest.approx(11, rel=0.002)
    assert "the load generator, not the system, was the limit" in said(found)["note"]


def test_a_missed_rate_is_the_sender_s() -> None:
    measured = measurements(behind_ms=9)
    assert not make(measured)["generator_was_the_limit"]
    measured.behind_us[-1] = 50_000
    found = make(measured)
    assert found["rate_missed"] > 0.01
    measured.behind_us[-1] = 1_000_000  # three seconds instead of two
    assert measured.kept_rate == pytest.approx(100 * 2 / 3)
    assert found["generator_was_the_limit"]


def test_the_timeline_is_by_the_second_with_faults_in_it() -> None:
    wrong = {"conditions": [{"code": "store_unwritable", "text": "Messages wait."}]}
    found = make(readings=[(1.0, {}), (2.0, wrong), (3.0, wrong), (4.0, {}), (20.0, None)])
    assert [(one["second"], one["due"], one["acknowledged"]) for one in found["timeline"]] == [
        (0, 100, 100),
        (1, 100, 100),
    ]
    assert found["timeline"][1]["p50_ms"] == pytest.approx(150, rel=0.002)
    assert [(one["code"], one["from_s"], one["until_s"]) for one in found["faults"]] == [
        ("store_unwritable", 1.0, 3.0),
        ("page_unreachable", 19.0, 20.0),
    ]


def test_faults_count_from_the_first_message_and_not_from_before_the_connections() -> None:
    observations = Observations()
    for at_s in (1.0, 5.0, 6.0):
        observations.add(at_s, None if at_s > 1 else {"conditions": [{"code": "x", "text": "x"}]})
    observations.count_from(3.5)
    assert [(fault.code, fault.from_s, fault.until_s) for fault in observations.faults] == [
        ("x", 0.0, 0.0),
        ("page_unreachable", 0.5, 2.5),
    ]


def test_hops_are_means_of_what_the_page_showed() -> None:
    readings = [(1.0, {"hops_ms": {"gateway": 1.0, "store": None}}), (2.0, {"hops_ms": {"gateway": 2.0}})]
    assert make(readings=readings)["hops_ms"] == {"gateway": 1.5}


def test_the_result_is_json_and_names_its_circumstances() -> None:
    found = json.loads(json.dumps(make()))
    for name in ("settings", "versions", "machine", "commit", "seed", "behind_ms", "hops_ms", "timeline"):
        assert name in found
    assert found["settings"]["rate"] == 100


def test_the_page_needs_nothing_from_elsewhere_and_compares_runs() -> None:
    page = html_report.page([make(), make(stored=190)])
    assert not re.search(r"(?:src|href|url\()", page)
    assert page.index("VALID") < page.index("<h2>")
    assert page.count("<svg") == 3
    assert "190–199" in page
    assert "load-1 (100/s)" in page


def test_the_page_shows_four_digits_of_a_small_figure_and_a_large_one_whole() -> None:
    found = make()
    found["behind_ms"] |= {"p99": 0.123456, "max": 12_345.6, "mean": None}
    page = html_report.page([found])
    rows = page[page.index("Behind schedule") :]
    assert "<tr><th>p99</th><td>0.1235</td></tr>" in rows
    assert "<tr><th>max</th><td>12,346</td></tr>" in rows
    assert "<tr><th>mean</th><td>–</td></tr>" in rows


def test_the_page_counts_what_was_not_answered_202_by_its_reason() -> None:
    found = make()
    assert "<tr><th>attempts not answered 202</th><td>0</td></tr>" in html_report.page([found])
    found["failed_attempts"] = {"503": 1_200, "timeout": 3}
    assert "<td>1,200 × 503, 3 × timeout</td>" in html_report.page([found])


def test_a_note_says_of_which_of_several_results_it_is() -> None:
    remarked = make(measurements(answered=100), stored=150)
    (note,) = text_report.notes(remarked)
    assert f'<p class="note">{note}</p>' in html_report.page([remarked])
    assert f'<p class="note">load-1 (100/s): {note}</p>' in html_report.page([make(), remarked])


def test_text_of_others_is_shown_as_text() -> None:
    text = "<script>alert(1)</script>"
    page = html_report.page([make(readings=[(1.0, {"conditions": [{"code": "x", "text": text}]})])])
    assert text not in page
    assert text not in html_report.page([make() | {"verdict": text}])


def step(rate: float, p99_ms: float, verdict: str = "VALID") -> Result:
    return {
        "run": f"load-{rate}",
        "rate": rate,
        "acknowledged": 1,
        "planned": 1,
        "duplicated": 0,
        "unexpected": 0,
        "latency_ms": {"p99": p99_ms},
        "generator_was_the_limit": False,
        "interrupted": False,
        "database_error": None,
        "verdict": verdict,
    }


@pytest.mark.parametrize("most", [3, 47, 1_234, 54_321])
def test_the_highest_rate_is_found(most: float) -> None:
    tried: list[float] = []

    def measure(target: object, options: Options) -> Result:
        tried.append(options.rate)
        return step(options.rate, 10 if options.rate <= most else 100)

    found = find_max.search(None, Options(100, 5), 50, measure)  # type: ignore[arg-type]
    assert most / 1.06 <= found["find_max"]["rate"] <= most
    assert found["find_max"]["rate"] == found["rate"]
    assert len(tried) == len(found["find_max"]["steps"]) <= find_max.MAX_STEPS


def test_a_search_is_as_valid_as_its_worst_step() -> None:
    found = find_max.search(
        None,  # type: ignore[arg-type]
        Options(100, 5),
        50,
        lambda target, options: step(
            options.rate, options.rate, "INVALID" if options.rate == 25 else "VALID"
        ),
    )
    assert found["verdict"] == "INVALID"
    assert found["find_max"]["rate"] < 25


def test_the_verdict_of_a_search_names_the_step_that_it_comes_from() -> None:
    def measure(target: object, options: Options) -> Result:
        own = {"run": f"load-{options.rate:g}", "rate": options.rate}
        return make() | own | ({"verdict": "UNDECIDED"} if options.rate > 100 else {})

    found = find_max.search(None, Options(100, 5), 500, measure)  # type: ignore[arg-type]
    assert found["run"] == "load-100"
    assert said(found)["verdict"] == "UNDECIDED  as the step at 200 a second, run load-200"
    page = html_report.page([found])
    assert "<p>100 a second, the highest that was tried with p99 below 500 ms</p>" in page
    rows = re.findall(
        r"<tr><td>(\d+)</td><td>[\d.]+</td><td>(yes|no)</td><td>no</td><td>(\w+)</td></tr>", page
    )
    assert rows[:2] == [("100", "yes", "VALID"), ("200", "no", "UNDECIDED")]
    assert len(rows) == len(found["find_max"]["steps"])


def test_where_no_rate_keeps_below_none_is_claimed() -> None:
    found = find_max.search(None, Options(4, 5), 50, lambda target, options: step(options.rate, 99))  # type: ignore[arg-type]
    assert found["find_max"]["rate"] is None
    assert "no rate" in find_max.lines(found)[0]


def test_a_search_ends_where_the_reading_of_the_database_is_stopped() -> None:
    rates: list[float] = []

    def measure(target: object, options: Options) -> Result:
        rates.append(options.rate)
        stopped = options.rate > 100
        return step(options.rate, 10) | (
            {"database_error": verification.INTERRUPTED, "verdict": "UNDECIDED"} if stopped else {}
        )

    found = find_max.search(None, Options(100, 5), 50, measure)  # type: ignore[arg-type]
    assert rates == [100, 200]
    assert (found["find_max"]["rate"], found["find_max"]["interrupted"]) == (100, True)


def test_a_step_that_was_stopped_before_its_first_request_has_no_p99(
    capsys: pytest.CaptureFixture[str],
) -> None:
    stopped = step(100, 10) | {"interrupted": True, "latency_ms": {"p99": None}}
    found = find_max.search(None, Options(100, 5), 50, lambda target, options: stopped)  # type: ignore[arg-type]
    assert found["find_max"]["rate"] is None
    assert "p99 unknown" in capsys.readouterr().err


def test_a_search_that_was_stopped_says_so_beside_what_it_found() -> None:
    def measure(target: object, options: Options) -> Result:
        return step(options.rate, 10) | {"interrupted": options.rate > 100}

    found = find_max.search(None, Options(100, 5), 50, measure)  # type: ignore[arg-type]
    assert found["find_max"]["interrupted"]
    assert "the search was stopped" in find_max.lines(found)[0]
    assert "stopped" not in find_max.lines({"find_max": found["find_max"] | {"interrupted": False}})[0]


def test_a_report_says_of_which_machine_it_is() -> None:
    found = machine.machine()
    assert found["processors"] == os.cpu_count()
    assert found["memory_gib"] > 0
    assert found["architecture"]


@pytest.mark.parametrize(
    ("wrong", "verdict", "steps"), [({}, "VALID", 1), ({"duplicated": 1, "unexpected": 0}, "INVALID", 2)]
)
def test_a_step_that_was_stopped_before_an_acknowledgement_counts_only_where_it_found_a_fault(
    wrong: dict[str, int], verdict: str, steps: int
) -> None:
    nothing = {"interrupted": True, "acknowledged": 0, "verdict": "INVALID"} | wrong

    def measure(target: object, options: Options) -> Result:
        return step(options.rate, 10) | (nothing if options.rate > 100 else {})

    found = find_max.search(None, Options(100, 5), 50, measure)  # type: ignore[arg-type]
    assert (found["verdict"], len(found["find_max"]["steps"])) == (verdict, steps)
    assert (found["find_max"]["rate"], found["find_max"]["interrupted"]) == (100, True)


def test_a_search_keeps_what_it_found_before_ctrl_c_between_two_steps() -> None:
    def measure(target: object, options: Options) -> Result:
        if options.rate > 100:
            raise KeyboardInterrupt
        return step(options.rate, 10)

    found = find_max.search(None, Options(100, 5), 50, measure)  # type: ignore[arg-type]
    assert (found["verdict"], found["find_max"]["rate"]) == ("VALID", 100)
    assert found["find_max"]["interrupted"]
