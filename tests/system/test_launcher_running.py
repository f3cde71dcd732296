"""What the commands of ``./start.sh`` promise while a system runs."""

import json
import re
import signal
import stat
import subprocess
import threading
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from launcher.configuration import CHECKOUT
from pipeline.clock import NS_PER_MS, to_ns
from tests.support.launched import Launched
from tests.support.processes import interruptible
from tests.support.waiting import Stopwatch, until

pytestmark = pytest.mark.system

SERVICES = ["redis", "web", "worker-1", "consumer", "gateway", "producer"]


def test_up_returns_when_the_page_shows_messages_and_the_number_grows(system: Launched) -> None:
    first = system.stats()["highest_number"]
    assert first is not None
    until(lambda: system.stats()["highest_number"] >= first + 10, 5)


def test_a_second_up_is_harmless_and_takes_5_s_at_the_most(system: Launched) -> None:
    before = system.pids()
    watch = Stopwatch()
    done = system.up()
    assert watch.seconds < 5
    assert "already running" in done.stdout
    assert system.pids() == before


def test_up_tells_the_mode_and_why_and_every_address(system: Launched) -> None:
    output = system.up().stdout
    assert "mode: local" in output
    for address in (
        f"http://127.0.0.1:{system.web_port}/fizzbuzz/",
        f"http://127.0.0.1:{system.settings['FIZZBUZZ_GATEWAY_PORT']}/messages",
        str(system.home / "data" / "messages.db"),
    ):
        assert address in output


def test_status_is_one_line_a_part_and_0_while_all_are_healthy(system: Launched) -> None:
    done = system.status_once(
        lambda one: one.returncode == 0 and _audit(one.stdout), what="all are healthy and counted"
    )
    # After the audit there may be conditions, such as that a busy machine's producer is late.
    lines = done.stdout.splitlines()[: len(SERVICES)]
    words = [line.split() for line in lines]
    assert [line[0] for line in words] == SERVICES
    assert {line[1] for line in words} == {"healthy"}
    assert all(" since 20" in line and " restarts " in line for line in lines)
    found = _audit(done.stdout)
    assert found
    accepted, stored, waiting, failed = (int(number.replace(",", "")) for number in found.groups())
    assert accepted == stored + waiting + failed > 0


def _audit(output: str) -> re.Match[str] | None:
    """Of the line after the services; there is none, or it has "?", while the page is late."""
    audit = re.compile(r"accepted ([\d,]+) = stored ([\d,]+) \+ waiting (\d+) \+ failed (\d+)")
    return next(filter(None, map(audit.fullmatch, output.splitlines()[len(SERVICES) :][:1])), None)


def test_the_secrets_are_their_owners_alone_and_never_shown(system: Launched) -> None:
    file = system.home / ".env"
    password = next(
        line.partition("=")[2]
        for line in file.read_text().splitlines()
        if line.startswith("INFLUXDB_PASSWORD=")
    )
    assert len(password) >= 24
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    shown = [system.up().stdout, system.start_sh("status").stdout, system.start_sh("logs").stdout]
    shown += system.processes().values()
    assert not any(password in text for text in shown)


def test_logs_are_json_lines_of_all_parts_in_the_order_of_time(system: Launched) -> None:
    lines = [json.loads(line) for line in system.start_sh("logs").stdout.splitlines()]
    assert {"redis", "web", "worker-1", "consumer", "producer", "supervisord"} <= {
        line["part"] for line in lines
    }
    assert all({"time", "part", "level", "message"} <= line.keys() for line in lines)
    moments = [datetime.fromisoformat(line["time"]) for line in lines]
    # Two threads of a service may write in the other order than they read the clock.
    assert all(after - before > timedelta(seconds=-0.1) for before, after in pairwise(moments))


def test_logs_of_one_part_are_of_that_part_alone(system: Launched) -> None:
    for asked in ("worker-1", "worker"):
        lines = system.start_sh("logs", asked).stdout.splitlines()
        assert {json.loads(line)["part"] for line in lines} == {"worker-1"}
    done = system.start_sh("logs", "nonsense")
    assert (done.returncode, done.stdout) == (2, "")
    assert "worker-1" in done.stderr


def test_logs_that_are_followed_show_what_is_written_later(system: Launched) -> None:
    command = [str(CHECKOUT / "start.sh"), "logs", "watchdog", "-f", "--pretty"]
    with subprocess.Popen(command, env=system.environ(), stdout=subprocess.PIPE, text=True) as following:
        with (system.home / "logs" / "watchdog.log").open("a") as file:
            file.write("written later\n")
        assert following.stdout
        late = threading.Timer(60, following.kill)
        late.start()
        assert any("written later" in line for line in following.stdout)
        late.cancel()
        following.kill()


def test_logs_say_what_a_name_means_where_that_is_not_the_same(system: Launched) -> None:
    assert system.start_sh("logs", "worker").stderr == "start.sh: worker means worker-1\n"
    assert system.start_sh("logs", "worker-1").stderr == ""


def test_the_end_of_up_says_what_to_do_next(system: Launched) -> None:
    output = system.up().stdout
    for command in ("./start.sh status", "./start.sh notebook", "./start.sh down"):
        assert command in output


def test_status_can_be_watched_and_ends_with_ctrl_c_and_without_a_traceback(system: Launched) -> None:
    command = [str(CHECKOUT / "start.sh"), "status", "--watch"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with interruptible():
        started = subprocess.Popen(command, env=system.environ(), text=True, **pipes)  # type: ignore[call-overload]
    with started as watching:
        for _ in range(len(SERVICES) + 1):
            assert watching.stdout.readline()
        watching.send_signal(signal.SIGINT)
        _, errors = watching.communicate(timeout=10)
    assert watching.returncode in (0, 130)
    assert "Traceback" not in errors


def test_the_first_figures_are_of_transmission_and_not_of_the_start(system: Launched) -> None:
    """The producer's first message leaves when one can be accepted, and not while the consumer starts."""
    lines = [json.loads(line) for line in system.start_sh("logs", "consumer").stdout.splitlines()]
    ready_at = next(line["time"] for line in lines if "messages can be accepted" in line["message"])
    ((first_sent_ns,),) = system.rows("SELECT min(sent_ns) FROM message")
    assert first_sent_ns >= to_ns(datetime.fromisoformat(ready_at)) - NS_PER_MS  # to which a log cuts
