"""Which services have fallen silent, measured by one clock."""

from dataclasses import replace

from pipeline.clock import NS_PER_S
from pipeline.queue.service_state import ServiceState
from tests.support.batches import NOON_NS
from web.services import ServiceWatch, of_kind

WORKER = ServiceState("worker-1", NOON_NS - 9 * NS_PER_S, "ok", NOON_NS, at_ns=NOON_NS)


def silent(watch: ServiceWatch) -> list[str]:
    return [one.name for one in watch.services if one.silent]


def read(watch: ServiceWatch, second: float, *states: ServiceState) -> None:
    watch.update(NOON_NS + round(second * NS_PER_S), states)


def reported(second: float, state: ServiceState = WORKER) -> ServiceState:
    return replace(state, at_ns=NOON_NS + round(second * NS_PER_S))


def test_a_service_whose_report_does_not_change_is_silent_within_three_seconds() -> None:
    watch = ServiceWatch()
    for second in range(3):
        read(watch, second, reported(second))
    read(watch, 3, reported(2))
    assert silent(watch) == []
    read(watch, 4, reported(2))
    assert silent(watch) == ["worker-1"]
    read(watch, 6, reported(6))
    assert silent(watch) == []


def test_how_late_a_report_is_read_is_known_from_the_ones_before() -> None:
    watch = ServiceWatch()
    ahead = 3_600  # the clock of the service
    for second in range(3):
        read(watch, second + 0.1, reported(second + ahead))
    read(watch, 4.0, reported(3 + ahead))
    read(watch, 4.8, reported(3 + ahead))
    assert silent(watch) == []
    read(watch, 5.1, reported(3 + ahead))
    assert silent(watch) == ["worker-1"]


def test_a_clock_that_is_set_back_does_not_make_a_service_silent() -> None:
    watch = ServiceWatch()
    for second in range(10):
        read(watch, second, reported(second - 3_600 * (second > 4)))
        assert silent(watch) == []


def test_the_clock_of_a_service_does_not_matter() -> None:
    watch = ServiceWatch()
    for second in range(8):
        read(watch, second, reported(second - 3_600))
    assert silent(watch) == []


def test_a_service_that_was_dead_before_is_silent_soon() -> None:
    watch = ServiceWatch()
    read(watch, 0, reported(-60))
    assert silent(watch) == []
    read(watch, 1, reported(-60))
    read(watch, 2, reported(-60))
    assert silent(watch) == ["worker-1"]


def test_a_stopped_service_is_not_silent_and_does_not_work() -> None:
    watch = ServiceWatch()
    for second in range(9):
        read(watch, second, replace(WORKER, state="stopped"))
    assert silent(watch) == []
    assert not watch.services[0].works


def test_while_redis_can_not_be_read_nobody_falls_silent() -> None:
    watch = ServiceWatch()
    read(watch, 0, reported(0))
    read(watch, 1, reported(1))
    read(watch, 20, reported(1))  # Redis was frozen meanwhile
    read(watch, 21, reported(1))
    assert silent(watch) == []
    read(watch, 22, reported(1))
    read(watch, 23, reported(1))
    assert silent(watch) == ["worker-1"]


def test_one_that_works_stands_for_its_kind() -> None:
    watch = ServiceWatch()
    gone, works = reported(-60, replace(WORKER, name="worker-2")), reported(-1)
    for second in range(5):
        read(watch, second, gone, reported(second, works))
    assert [one.name for one in of_kind(watch.services, "worker")] == ["worker-1"]
    assert of_kind(watch.services, "consumer") == ()


GATEWAY, CONSUMER = replace(WORKER, name="gateway"), replace(WORKER, name="consumer")


def test_a_gateway_that_falls_silent_alone_is_silent() -> None:
    watch = ServiceWatch()
    for second in range(9):
        read(watch, second, reported(second, CONSUMER), reported(min(second, 2), GATEWAY))
        assert silent(watch) == (["gateway"] if second > 5 else [])


def test_nothing_is_concluded_about_a_gateway_while_no_consumer_could_report_it() -> None:
    watch = ServiceWatch()
    for second in range(12):  # the consumer is frozen, and with it the gateway's reports end a second earlier
        read(watch, second, reported(min(second, 3), CONSUMER), reported(min(second, 2), GATEWAY))
        assert "gateway" not in silent(watch)
    assert silent(watch) == ["consumer"]
    for second in range(12, 15):
        read(watch, second, reported(second, CONSUMER), reported(min(second, 2), GATEWAY))
        assert silent(watch) == []
    read(watch, 15, reported(15, CONSUMER), reported(2, GATEWAY))
    assert silent(watch) == ["gateway"]
