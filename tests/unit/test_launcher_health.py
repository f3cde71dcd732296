import pytest

from launcher.local import health, part
from launcher.local.hold import Record
from launcher.status import HEALTHY, STARTING, UNHEALTHY, PartStatus

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
def test_the_state_is_what_the_part_says_and_else_how_long_it_has_had(
    ready: bool, starts: tuple[float, ...], state: str
) -> None:
    assert health.state(Record(1, len(starts), starts), NOW_S, ready=ready) == state


@pytest.mark.parametrize(
    ("passed_s", "pause_s"), [(0.0, 1.0), (0.25, 0.75), (1.0, 0.0), (60.0, 0.0), (-5.0, 1.0)]
)
def test_two_starts_are_a_second_apart_and_never_more(passed_s: float, pause_s: float) -> None:
    assert part.pause_s(Record(1, 1, (NOW_S - passed_s,)), NOW_S) == pause_s


def test_a_first_start_waits_for_nothing() -> None:
    assert part.pause_s(Record(), NOW_S) == 0


def test_a_status_is_one_line_with_name_state_since_and_restarts() -> None:
    words = PartStatus("worker-1", HEALTHY, NOW_S, 3).line().split()
    assert words[:3] == ["worker-1", "healthy", "since"]
    assert words[3].startswith("1970-01-01T")
    assert words[4:] == ["restarts", "3"]
