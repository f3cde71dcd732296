"""``./start.sh bench`` on systems of its own, beside one that runs."""

import json
from pathlib import Path

import pytest

from tests.support.launched import Launched

pytestmark = pytest.mark.system


@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_benchmark_measures_a_system_of_its_own(system: Launched, tmp_path: Path) -> None:
    stored = "SELECT count(DISTINCT run) FROM message"
    before = system.rows(stored)
    system.command_s = 200  # it starts a system too
    done = system.start_sh("bench", "open-loop", "--runs", "1", "--json", str(tmp_path / "bench.json"))
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "bench.json").read_text())
    figures = found["benchmarks"]["open-loop"]["figures"]
    (p50,), (p99,) = figures["p50"], figures["p99"]
    assert 0 < p50["mean"] <= p99["mean"]
    assert f"| {p50['text']} |" in done.stdout
    assert found["machine"]["processors"]
    assert found["versions"]["python"]
    assert system.rows(stored) == before, "the running system got none of it"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("no-such",), "unknown benchmark no-such"),
        (("pace", "--runs", "0"), "--runs: at least 1"),
        (("pace", "--beside", "/nowhere"), "/nowhere: there is no start.sh"),
    ],
)
def test_an_invalid_benchmark_is_refused(system: Launched, words: tuple[str, ...], said: str) -> None:
    done = system.start_sh("bench", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
