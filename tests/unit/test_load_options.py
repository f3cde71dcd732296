"""The load's command line and schedule."""

import subprocess
import sys
from pathlib import Path

import pytest

from load import options, target
from load.options import Options
from load.schedule import Schedule
from load.target import InfluxTarget, SqliteTarget
from tests.support.child_process import PROJECT


def test_every_number_is_sent_once_and_on_time() -> None:
    planned = Schedule(rate=100, seconds=2.05, batch=10)
    numbers = [number for request in range(planned.requests) for number in planned.numbers(request)]
    assert numbers == list(range(205))
    assert [planned.due_ns(request) for request in (0, 1, 10)] == [0, 100_000_000, 1_000_000_000]


@pytest.mark.parametrize("rate", [1, 3, 7, 1_000, 2_999, 100_000])
def test_the_next_request_is_the_first_that_is_not_due(rate: int) -> None:
    planned = Schedule(rate, 10)
    for request in (0, 1, 5, 6):
        assert planned.next_after(planned.due_ns(request)) == request + 1
        assert planned.next_after(planned.due_ns(request) - 1) == request


def test_the_command_line_is_read(tmp_path: Path) -> None:
    assert options.read(["--rate", "500", "--for", "10"]) == Options(500, 10)
    words = ["--rate", "0.5", "--for", "4", "--batch", "1000", "--connections", "8", "--no-retry"]
    assert options.read(words) == Options(0.5, 4, 1_000, 8, retry=False)
    words = ["--find-max", "--p99", "50", "--json", str(tmp_path / "a.json")]
    assert options.read(words) == Options(100, 5, json=tmp_path / "a.json", find_max_p99_ms=50)


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--rate", "5"],
        ["--for", "5"],
        ["--rate", "0", "--for", "1"],
        ["--rate", "-1", "--for", "1"],
        ["--rate", "100001", "--for", "1"],
        ["--rate", "nan", "--for", "1"],
        ["--rate", "1", "--for", "3601"],
        ["--rate", "1", "--for", "1", "--batch", "0"],
        ["--rate", "1", "--for", "1", "--batch", "1001"],
        ["--rate", "1", "--for", "1", "--connections", "0"],
        ["--rate", "1", "--for", "1", "--p99", "5"],
        ["--rate", "1", "--for", "1", "--json", "/no/such/folder/a.json"],
        ["--rate", "many", "--for", "1"],
        ["--find-max"],
        ["--find-max", "--p99", "0"],
    ],
)
def test_an_invalid_load_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        options.read(words)
    assert ended.value.code == 2
    assert "start.sh load" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--json", "--html"])
def test_a_report_that_cannot_be_written_is_refused_before_the_load(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        options.read(["--rate", "1", "--for", "1", option, str(tmp_path)])
    assert ended.value.code == 2
    assert f"{tmp_path}: it is a folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("limit", "connections", "status", "said"),
    [
        ("-n 500", 2_000, 2, "--connections 2000: at most 436 where a process may have 500 files"),
        ("-n 50", 64, 2, "--connections 64: none where"),
        ("-n 500", 400, 0, ""),
        ("-Sn 100", 400, 0, ""),  # which is raised
    ],
)
def test_connections_need_as_many_files(limit: str, connections: int, status: int, said: str) -> None:
    words = ["--rate", "1", "--for", "1", "--connections", str(connections)]
    program = f"from load import options; options.read({words})"
    command = ["sh", "-c", f'ulimit {limit} && exec "$@"', "sh", sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=PROJECT)
    assert done.returncode == status, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_the_target_is_what_the_launcher_passes(tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text("read-token\n")
    found = target.read({"FIZZBUZZ_BIND": "::", "FIZZBUZZ_GATEWAY_PORT": "81", "FIZZBUZZ_HOME": "/h"})
    assert (found.gateway_url, found.page_url) == ("http://[::1]:81", "http://[::1]:5000")
    assert found.database == SqliteTarget(Path("/h/data/messages.db"))
    found = target.read({"FIZZBUZZ_STORE": "influxdb", "INFLUXDB_TOKEN_FILE": str(secret)})
    assert found.database == InfluxTarget("http://127.0.0.1:8086", "read-token", "fizzbuzz", "messages")
    assert "read-token" not in repr(found)


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("", ""),
        ("0123456789abcdef", "0123456789abcdef"),
        ("alice:0123456789abcdef", "0123456789abcdef"),
        ("alice:0123456789abcdef\nbob:fedcba9876543210\n", "0123456789abcdef"),
    ],
)
def test_of_tokens_with_names_the_first_one_is_sent_without_its_name(
    tmp_path: Path, written: str, sent: str
) -> None:
    file = tmp_path / "tokens"
    file.write_text(written)
    assert target.read({"FIZZBUZZ_API_TOKEN_FILE": str(file)}).token == sent
    assert target.read({"FIZZBUZZ_API_TOKEN": written}).token == sent
