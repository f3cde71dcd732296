"""The benchmarks' results: what is read from wrk, how runs are summed up, and the table."""

import json
from pathlib import Path
from typing import Any

import pytest

from bench import table, wrk
from bench.__main__ import BENCHMARKS, chosen
from bench.bursts import Sent, measurements
from bench.figure import Figure, percentile, summary

WRK = """
Running 6s test @ http://127.0.0.1:8000
RESULT {"requests":12000,"duration_us":6000000,"refused":%d,"failed":%d,"p50_ms":%s,"p99_ms":1020.000}
"""


@pytest.mark.parametrize(("p50", "ms"), [("0.850", 0.85), ("12.500", 12.5), ("2000.000", 2_000)])
def test_what_wrk_prints_is_read_in_milliseconds(p50: str, ms: float) -> None:
    assert wrk.figures(wrk.parse(WRK % (0, 0, p50))) == {
        "rate": 2_000,
        "p50": pytest.approx(ms),
        "p99": 1_020,
    }


@pytest.mark.parametrize(("refused", "failed"), [(3, 0), (0, 5)])
def test_a_rate_of_failed_requests_is_no_figure(refused: int, failed: int) -> None:
    with pytest.raises(SystemExit, match="failed"):
        wrk.figures(wrk.parse(WRK % (refused, failed, "1.000")))


def test_runs_are_summed_up_by_mean_and_sample_deviation() -> None:
    figure = Figure("one", "ms", "≤ 3")
    assert summary(figure, [1.0, 2.0, 3.0]) == {
        "text": "one",
        "unit": "ms",
        "goal": "≤ 3",
        "values": [1.0, 2.0, 3.0],
        "mean": 2.0,
        "deviation": 1.0,
    }
    assert summary(figure, [1.0])["deviation"] is None, "one run says nothing of the next"


def test_the_hour_is_measured_only_where_it_is_named() -> None:
    assert chosen([]) == [name for name in BENCHMARKS if name != "hour"]
    assert chosen(["hour"]) == ["hour"]


def test_a_percentile_is_a_value_that_was_measured() -> None:
    assert [percentile([4, 1, 3, 2], share) for share in (0.0, 0.5, 0.75, 1.0)] == [1, 2, 3, 4]


def test_bursts_are_judged_by_their_arrivals_too() -> None:
    second_ns = 1_000_000_000
    messages = [Sent(10, 7 * second_ns, 7 * second_ns + 2_000_000)]
    messages += [Sent(11, 7 * second_ns + 1_000_000, 7 * second_ns + 9_000_000)]
    found = measurements(messages, size=2, rate=1.0)
    assert (found.bursts, found.whole) == (1, True)
    assert (found.spans_ms, found.arrival_spans_ms, found.offsets_ms) == ([1.0], [7.0], [0.0])
    assert found.transmissions_ms == [2.0, 8.0]
    assert not measurements(messages[1:], size=2, rate=1.0).whole


def result(*checkouts: str, **figures: list[Any]) -> dict[str, Any]:
    return {
        "at": "2026-01-01T00:00:00Z",
        "machine": {"processor": "a processor", "processors": 2, "memory_gib": 4.0},
        "versions": {"python": "3.11"},
        "checkouts": [{"name": name} for name in checkouts],
        "benchmarks": {
            "some": {
                "runs": 3,
                "figures": figures,
                "processors": {" (16)": [{"gateway": 0.94, "web": 0.01} for _ in checkouts]},
            }
        },
    }


def test_the_table_names_checkouts_ratio_goal_and_what_was_busy() -> None:
    old, new = summary(Figure("rate", "/s", "≥ 2"), [900, 1_100]), summary(Figure("rate", "/s"), [2_500])
    lines = list(table.lines(result("aaa", "bbb", rate=[old, new])))
    assert "| some, 3 runs | aaa | bbb | ratio | goal |" in lines
    assert "| rate | 1,000 ± 141 /s | 2,500 /s | 2.50 | ≥ 2 |" in lines
    assert "| processors used (16) | gateway 0.94 | gateway 0.94 |  |  |" in lines


def test_what_one_checkout_does_not_have_is_a_dash() -> None:
    lines = list(table.lines(result("aaa", "bbb", rate=[None, summary(Figure("rate", "/s"), [2.5])])))
    assert "| rate | – | 2.5 /s | – |  |" in lines


def test_the_table_replaces_the_one_between_the_marks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, measured = tmp_path / "figures.md", tmp_path / "bench.json"
    there.write_text(f"before\n{table.BEGIN}\nold\n{table.END}\nafter\n", encoding="utf-8")
    measured.write_text(json.dumps(result("aaa", rate=[summary(Figure("rate", "/s"), [2.5])])))
    monkeypatch.setattr("sys.argv", ["table", str(measured), "--into", str(there)])
    table.main()
    text = there.read_text(encoding="utf-8")
    assert text.startswith(f"before\n{table.BEGIN}")
    assert text.endswith(f"{table.END}\nafter\n")
    assert "| rate | 2.5 /s |  |" in text
    assert "old" not in text
