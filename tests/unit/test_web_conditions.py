"""Every condition by its cause, every pair of them, and their order."""

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import pytest

from pipeline.clock import NS_PER_S
from pipeline.queue.service_state import State
from tests.support.batches import NOON_NS
from web.conditions import CODES, SETTLED_NS, Conditions
from web.ledger import Discrepancy
from web.moments import plain
from web.observation import LostNumbers, Observation
from web.services import Service

AN_HOUR_AGO = NOON_NS - 3_600 * NS_PER_S


def service(name: str, state: State = "ok", *, reason: str = "", silent: bool = False) -> Service:
    since_ns, at_ns = NOON_NS - 9 * NS_PER_S, NOON_NS - 8 * NS_PER_S
    return Service(name, AN_HOUR_AGO, state, since_ns, reason, at_ns, silent=silent)


WELL: dict[str, Any] = {
    "at_ns": NOON_NS,
    "began_ns": AN_HOUR_AGO,
    "last_arrived_ns": NOON_NS - NS_PER_S // 10,
}

Change = Mapping[str, Any]

SILENT_AND_UNABLE: Change = {
    "worker": service("worker-1", "store_unwritable", reason="database is locked", silent=True),
    "waiting": 5,
}

CAUSES: dict[str, list[Change]] = {
    "unaccounted": [
        {"discrepancy": Discrepancy(2, NOON_NS - 20 * NS_PER_S)},
        {"discrepancy": Discrepancy(-1, NOON_NS - 20 * NS_PER_S)},
    ],
    "store_unreadable": [{"store_error": "The database can't be read: disk I/O error"}],
    "store_unwritable": [
        {"worker": service("worker-1", "store_unwritable", reason="database is locked")},
        SILENT_AND_UNABLE,
    ],
    "worker_silent": [
        {"worker": service("worker-1", silent=True), "waiting": 50},
        SILENT_AND_UNABLE,
        {"worker": service("worker-1", "stopped"), "waiting": 50},
        {"worker": None, "waiting": 50},
        {"worker": service("worker-1", reason="paused by rq suspend"), "waiting": 50},
    ],
    "queue_unreachable": [
        {"queue_error": "Redis can't be read: no answer for more than 1 s"},
        {"consumer": service("consumer", "queue_unreachable", reason="Redis is unavailable")},
        {"refusal": "it is a replica of another server"},
    ],
    "queue_unreplicated": [
        {"consumer": service("consumer", "queue_unreplicated", reason="0 of 1 replicas confirmed")},
        {"is_fenced": True},
    ],
    "queue_unfit": [
        {"consumer": service("consumer", "queue_unfit", reason="Redis deletes accepted messages")},
        {"unfit": "Redis deletes accepted messages"},
    ],
    "queue_full": [{"consumer": service("consumer", "queue_full", reason="50 wait, 50 may"), "waiting": 50}],
    "queue_memory": [
        {"consumer": service("consumer", "queue_memory", reason="85 % may be used")},
        {"memory_full": "90 of 100 bytes are used, 85% may be"},
    ],
    "consumer_unreachable": [
        {"consumer": service("consumer", silent=True)},
        {"consumer": service("consumer", "stopped")},
        {"gateway": service("gateway", silent=True)},
    ],
    "nothing_arrives": [
        {"last_arrived_ns": NOON_NS - 2 * NS_PER_S},
        {"last_arrived_ns": None},
    ],
    "clocks_differ": [{"last_early_ns": NOON_NS - NS_PER_S}],
}  # fmt: skip
"""By code: each cause as what differs from a system that is well."""


def observed(*changes: Change) -> Observation:
    fields: dict[str, Any] = dict(WELL)
    services: dict[str, Service | None] = {
        "worker": service("worker-1"), "consumer": service("consumer"), "gateway": service("gateway")
    }  # fmt: skip
    for change in changes:
        for name, value in change.items():
            if name in services:
                services[name] = value
            else:
                fields[name] = value
    return Observation(**fields, services=[one for one in services.values() if one])


def codes(*changes: Change) -> list[str]:
    return [one.code for one in Conditions().update(observed(*changes))]


def test_a_system_that_is_well_has_no_condition() -> None:
    assert codes() == []


def test_there_is_a_cause_for_every_code_in_the_order_of_the_contract() -> None:
    assert tuple(CAUSES) == CODES


@pytest.mark.parametrize(
    ("code", "change"), [(code, change) for code, changes in CAUSES.items() for change in changes]
)
def test_each_cause_makes_its_condition(code: str, change: Change) -> None:
    found = codes(change)
    assert code in found
    assert found == [code] or change is SILENT_AND_UNABLE


def compatible(one: Change, other: Change) -> bool:
    """Whether both can be at once: they are about different things, or agree."""
    return all(one[name] == other[name] for name in one.keys() & other.keys())


PAIRS = [
    (first, second, one, other)
    for first, second in combinations(CAUSES, 2)
    for one in CAUSES[first]
    for other in CAUSES[second]
    if compatible(one, other)
]


@pytest.mark.parametrize(("first", "second", "one", "other"), PAIRS)
def test_no_condition_hides_another_and_the_worse_is_first(
    first: str, second: str, one: Change, other: Change
) -> None:
    found = codes(one, other)
    assert [code for code in found if code in (first, second)] == [first, second]


def test_every_pair_of_codes_was_tried() -> None:
    tried = {(first, second) for first, second, _, _ in PAIRS}
    assert tried == set(combinations(CODES, 2))


def test_all_causes_at_once_are_all_reported() -> None:
    by_redis = ("queue_memory", "queue_unfit", "queue_unreplicated")  # the consumer can't be in two states
    changes = [causes[-1] if code in by_redis else causes[0] for code, causes in CAUSES.items()]
    full, cut_off = CAUSES["queue_full"][0], CAUSES["consumer_unreachable"][-1]
    assert codes(*changes, SILENT_AND_UNABLE, full, cut_off, {"consumer": full["consumer"]}) == list(CODES)


@pytest.mark.parametrize(
    ("code", "change"), [(code, change) for code, changes in CAUSES.items() for change in changes]
)
def test_every_text_is_a_sentence_that_says_what_happens_to_the_messages(code: str, change: Change) -> None:
    (text,) = [one.text for one in Conditions().update(observed(change)) if one.code == code]
    assert text.endswith(".")
    assert "essage" in text
    assert ".." not in text
    assert "{" not in plain(text)


def test_while_another_worker_works_a_silent_one_is_no_condition() -> None:
    seen = observed({"waiting": 50})
    services = [*seen.services, service("worker-2", silent=True)]
    assert Conditions().update(Observation(**{**WELL, "waiting": 50}, services=services)) == ()


def test_a_pause_of_all_workers_says_how_it_ends() -> None:
    paused = service("worker-1", reason="paused by rq suspend")
    (found,) = Conditions().update(observed({"worker": paused, "waiting": 50}))
    assert "No worker stores messages: worker-1 is paused by rq suspend. 50 accepted messages" in found.text
    assert "stored after rq resume" in found.text
    services = [paused, service("worker-2", silent=True)]
    (found,) = Conditions().update(Observation(**{**WELL, "waiting": 50}, services=services))
    assert "worker-1 is paused" in found.text
    services = [paused, service("worker-2")]
    assert Conditions().update(Observation(**{**WELL, "waiting": 50}, services=services)) == ()


def test_one_of_two_workers_that_can_not_write_is_named() -> None:
    services = [service("worker-1"), service("worker-2", "store_unwritable", reason="disk full")]
    (found,) = Conditions().update(Observation(**WELL, services=services))
    assert found.code == "store_unwritable"
    assert "worker-2 reports: disk full" in found.text


def test_a_silent_worker_without_any_message_that_waits_is_no_condition() -> None:
    assert codes({"worker": service("worker-1", silent=True)}) == []


def test_one_full_consumer_of_two_refuses_nothing() -> None:
    services = [service("consumer-1", "queue_full"), service("consumer-2")]
    assert Conditions().update(Observation(**WELL, services=services)) == ()


def test_memory_without_anything_that_waits_is_freed_by_arrivals_that_expire() -> None:
    full = {"memory_full": "90 of 100 bytes are used, 85% may be"}
    (found,) = Conditions().update(observed(full))
    assert (
        "until remembered arrivals have expired (FIZZBUZZ_DEDUPE_WINDOW_S), or Redis has more" in found.text
    )
    assert "workers" not in found.text
    (found,) = Conditions().update(observed(full, {"waiting": 5}))
    assert "until workers have stored some" in found.text


def test_what_waits_and_since_when_is_reported() -> None:
    (found,) = Conditions().update(
        observed(
            {"worker": service("worker-1", silent=True), "waiting": 1_250, "oldest_waiting_ns": AN_HOUR_AGO}
        )
    )
    assert "1,250 accepted messages wait in Redis, the oldest since 11:00:00 UTC." in plain(found.text)
    assert "worker-1's last one was at 11:59:52 UTC" in plain(found.text)


def test_a_stopped_worker_is_named_with_the_moment() -> None:
    (found,) = Conditions().update(observed({"worker": service("worker-1", "stopped"), "waiting": 5}))
    assert "worker-1 stopped at 11:59:51 UTC" in plain(found.text)


def test_lost_messages_are_listed_by_run_and_number() -> None:
    lost = (LostNumbers("2026-01-01T11:30:00.000Z-ab12", 7, (3, 57, 58, 90, 91, 95)), LostNumbers("x", 1, ()))
    (found,) = Conditions().update(observed({"discrepancy": Discrepancy(8, NOON_NS), "lost": lost}))
    assert "8 accepted messages can't be found" in found.text
    assert "run producer · 11:30:00 UTC: 3, 57, 58, 90, 91, …; 1 of run x" in plain(found.text)


def test_a_condition_began_when_its_service_says_or_when_it_was_first_seen() -> None:
    conditions = Conditions()
    unwritable, unreadable = CAUSES["store_unwritable"][0], CAUSES["store_unreadable"][0]
    for second in range(3):
        at = {"at_ns": NOON_NS + second * NS_PER_S, "last_arrived_ns": NOON_NS + second * NS_PER_S}
        found = conditions.update(observed(unwritable, unreadable, at))
    assert [(one.code, one.since_ns) for one in found] == [
        ("store_unreadable", NOON_NS),
        ("store_unwritable", NOON_NS - 9 * NS_PER_S),
    ]
    assert conditions.update(observed()) == ()
    later = {"at_ns": NOON_NS + 60 * NS_PER_S, "last_arrived_ns": NOON_NS + 60 * NS_PER_S}
    assert conditions.update(observed(unreadable, later))[0].since_ns == NOON_NS + 60 * NS_PER_S


def test_after_a_restart_a_condition_that_goes_on_has_its_begin_and_one_that_was_over_a_new_one() -> None:
    unreadable = CAUSES["store_unreadable"][0]

    def since_ns(conditions: Conditions, second: int, *changes: Change) -> list[int]:
        at_ns = NOON_NS + second * NS_PER_S
        now = {"at_ns": at_ns, "began_ns": NOON_NS, "last_arrived_ns": at_ns}
        return [one.since_ns for one in conditions.update(observed(*changes, now))]

    goes_on, was_over = Conditions(), Conditions()
    for conditions in (goes_on, was_over):
        conditions.restore({"store_unreadable": AN_HOUR_AGO})
    settled = SETTLED_NS // NS_PER_S + 1
    for second in (1, settled, settled + 1):
        assert since_ns(goes_on, second, unreadable) == [AN_HOUR_AGO]
        assert since_ns(was_over, second) == []
    assert since_ns(was_over, settled + 2, unreadable) == [NOON_NS + (settled + 2) * NS_PER_S]


def test_nothing_arrives_is_not_concluded_where_nobody_could_be_asked() -> None:
    seen = {"last_arrived_ns": AN_HOUR_AGO, "arrivals_known": False}
    assert codes(seen) == []


def test_gateway_and_consumer_are_only_called_ready_after_they_said_so_since_the_last_arrival() -> None:
    at_ns = NOON_NS - 8 * NS_PER_S  # of their reports
    for last_ns, ready in ((at_ns - 3 * NS_PER_S, True), (at_ns - NS_PER_S, False)):
        (found,) = Conditions().update(observed({"last_arrived_ns": last_ns}))
        assert ("gateway and consumer are ready" in found.text) is ready
    ill = {"gateway": service("gateway", "starting"), "last_arrived_ns": at_ns - 3 * NS_PER_S}
    assert all("are ready" not in one.text for one in Conditions().update(observed(ill)))


def test_senders_whose_messages_are_all_repeats_or_refused_are_not_called_absent() -> None:
    (found,) = Conditions().update(observed({"last_arrived_ns": AN_HOUR_AGO}))
    assert "none is sent, or each is a repeat or refused (see fizzbuzz_gateway_requests_total)" in found.text


def test_nothing_is_said_of_what_waits_while_redis_can_not_be_read() -> None:
    away = {"queue_error": "Redis can't be read: timed out", "last_arrived_ns": AN_HOUR_AGO}
    texts = [one.text for one in Conditions().update(observed(away))]
    assert len(texts) == 2
    assert not any("No accepted message waits" in text for text in texts)
