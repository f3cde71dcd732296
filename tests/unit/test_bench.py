"""The benchmarks' results: what is read from wrk, how runs are summed up, and the table."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bench import __main__ as bench
from bench import bursts, system, table, wrk
from bench.__main__ import BENCHMARKS, chosen
from bench.bursts import Sent, measurements
from bench.figure import Figure, percentile, summary
from bench.rivals import environment
from tests.support.child_process import PROJECT
from tests.support.processes import interruptible

WRK = """
Running 6s test @ http://127.0.0.1:8000
RESULT {"requests":12000,"duration_us":6000000,"refused":%d,"failed":%d,"p50_ms":%s,"p99_ms":1020.000}
"""

PROGRAM = """
import sys, time
from bench import __main__ as bench
from bench.figure import Benchmark

def run(checkout):
    try:
        print("started", flush=True)
        time.sleep(60)
    finally:
        print("stopped", flush=True)

bench.BENCHMARKS["some"] = Benchmark("", {}, run)
sys.exit(bench.main(["some", "--json", "/dev/null"]))
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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_benchmark_stops_what_it_started_however_it_is_ended(number: signal.Signals) -> None:
    with (
        interruptible(),
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            cwd=PROJECT,
            env={"PATH": os.environ["PATH"]},  # coverage would handle SIGTERM itself
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        assert process.stdout
        assert process.stdout.readline() == "started\n"
        process.send_signal(number)
        output, errors = process.communicate(timeout=20)
    assert (process.returncode, output) == (130, "stopped\n")
    assert "Traceback" not in errors


def test_a_system_whose_start_is_interrupted_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped: list[str] = []

    def interrupted(self: system.System) -> None:
        raise KeyboardInterrupt

    monkeypatch.setenv("FIZZBUZZ_VENV", str(tmp_path))
    monkeypatch.setattr(system.System, "up", interrupted)
    monkeypatch.setattr(system.System, "down", lambda self, *words: stopped.extend(words))
    with pytest.raises(KeyboardInterrupt), system.running(PROJECT):
        pass
    assert stopped == ["--wipe"]


@pytest.mark.parametrize("command", [[], ["rivals"]])
def test_a_file_that_cannot_be_written_is_refused_before_a_benchmark(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "_measured", lambda *_: pytest.fail("it measures"))
    monkeypatch.setattr(environment, "enter", lambda _: pytest.fail("it begins"))
    status: object = None
    try:
        status = bench.main([*command, "--json", str(tmp_path / "missing" / "bench.json")])
    except SystemExit as ended:
        status = ended.code
    assert status == 2
    assert f"there is no folder {tmp_path / 'missing'}" in capsys.readouterr().err


def test_a_burst_that_is_being_stored_is_not_among_the_past_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(sqlite3.connect(tmp_path / "some.db")) as database, database:
        database.execute("CREATE TABLE message (run, number, sent_ns, arrived_ns)")
        rows = [("mine", number, number // 10 * 10**9, number // 10 * 10**9 + 1) for number in range(47)]
        database.executemany("INSERT INTO message VALUES (?, ?, ?, ?)", rows)
    monkeypatch.setattr(sys, "argv", ["bursts", str(tmp_path / "some.db"), "--past", "--bursts", "3"])
    assert bursts.main() == 0
    assert "3 bursts, each of 10" in capsys.readouterr().out
