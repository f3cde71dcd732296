import json
import time
from pathlib import Path

import pytest

from launcher.layout import Layout
from launcher.local import exec_service, process_lock, service_checks
from launcher.local.plan import Plan, ProcessPlan
from launcher.local.process_lock import Record
from launcher.local.watchdog import MAX_KILLS, SILENT_S, START_S, WINDOW_S, HangDetector
from launcher.status import HEALTHY, STARTING, STOPPED, UNHEALTHY, ServiceStatus, explain
from tests.support.ports import free_port

NOW_S = 1_000.0


@pytest.mark.parametrize(
    ("ready", "starts", "state"),
    [
        (True, (NOW_S - 100,), HEALTHY),
        (True, (NOW_S - 3, NOW_S - 2, NOW_S - 1), HEALTHY),
        (False, (NOW_S - 1,), STARTING),
        (False, (), STARTING),
        (False, (NOW_S - 100,), UNHEALTHY),
        (False, (NOW_S - 50, NOW_S - 40, NOW_S - 1), STARTING),
        (False, (NOW_S - 3, NOW_S - 2, NOW_S - 1), UNHEALTHY),
    ],
)
def test_the_state_is_what_the_service_reports_and_else_depends_on_its_age(
    ready: bool, starts: tuple[float, ...], state: str
) -> None:
    assert service_checks.state(Record(1, len(starts), starts), NOW_S, ready=ready) == state


def test_a_service_that_ends_without_a_word_is_not_healthy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Layout(tmp_path)
    home.make()
    (home.logs / "web.log").write_text('{"message": "", "level": "error"}\n')
    record = {"pid": 1, "starts": 3, "recent": [time.time()] * service_checks.LOOP_STARTS}
    process_lock.path_of(home.run, "web").write_text(json.dumps(record))
    monkeypatch.setattr(process_lock, "is_supervised", lambda run: True)
    web = ProcessPlan("web", (), {}, ready=f"http://127.0.0.1:{free_port()}/readyz")
    (found,) = service_checks.check(home, Plan("python", (web,), ()))
    assert (found.state, found.crash_looping) == (UNHEALTHY, True)


@pytest.mark.parametrize(
    ("passed_s", "pause_s"), [(0.0, 1.0), (0.25, 0.75), (1.0, 0.0), (60.0, 0.0), (-5.0, 1.0)]
)
def test_two_starts_are_a_second_apart_and_never_more(passed_s: float, pause_s: float) -> None:
    assert exec_service.pause_s(Record(1, 1, (NOW_S - passed_s,)), NOW_S) == pause_s


def test_a_first_start_waits_for_nothing() -> None:
    assert exec_service.pause_s(Record(), NOW_S) == 0


def test_a_status_is_one_line_with_name_state_since_restarts_process_and_reason() -> None:
    one = ServiceStatus("worker-1", UNHEALTHY, NOW_S, 3, 77, "does not answer")
    words = one.line().split()
    assert words[:3] == ["worker-1", "unhealthy", "since"]
    assert words[3].startswith("1970-01-01T")
    assert words[4:] == ["restarts", "3", "pid", "77", "does", "not", "answer"]


def test_the_cause_is_named_and_what_only_lacks_it_says_so() -> None:
    names = ("redis", "web", "worker-1", "consumer", "gateway", "producer")
    ill = {name: ServiceStatus(name, UNHEALTHY, reason=f"{name} is ill") for name in names}
    found = explain((ill | {"web": ServiceStatus("web", HEALTHY)}).values())
    assert {one.name: one.reason for one in found} == {
        "redis": "redis is ill",
        "web": "",
        "worker-1": "waits for redis",
        "consumer": "waits for redis",
        "gateway": "waits for redis",
        "producer": "waits for redis",
    }
    stopped = [ServiceStatus("redis", STOPPED), ServiceStatus("consumer", STOPPED)]
    assert explain(stopped) == stopped


def test_silence_after_an_answer_means_that_a_service_hangs_and_a_start_has_its_time() -> None:
    detector = HangDetector("redis")
    assert not detector.hangs(answered=False, start=1, now_s=0)
    assert not detector.hangs(answered=False, start=1, now_s=START_S - 1)
    assert detector.hangs(answered=False, start=1, now_s=START_S)
    assert not detector.hangs(answered=True, start=2, now_s=START_S + 1)
    assert not detector.hangs(answered=False, start=2, now_s=START_S + SILENT_S)
    assert detector.hangs(answered=False, start=2, now_s=START_S + 1 + SILENT_S)


def test_a_service_that_restarts_do_not_help_is_left_alone_for_a_while() -> None:
    detector = HangDetector("redis")
    now_s, kills = 0.0, 0
    for start in range(MAX_KILLS + 2):
        detector.hangs(answered=True, start=start, now_s=now_s)
        now_s += SILENT_S
        kills += detector.hangs(answered=False, start=start, now_s=now_s)
    assert kills == MAX_KILLS
    now_s += WINDOW_S
    assert detector.hangs(answered=False, start=MAX_KILLS + 1, now_s=now_s)
