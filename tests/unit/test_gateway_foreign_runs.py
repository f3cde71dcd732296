"""Which requests of a refused call are answered, and in which call each of the others is sent again."""

from gateway.foreign_runs import FIRST, SECOND, share
from gateway.problems import Problem


def fates(requests: list[set[tuple[str, str]]], denied: set[tuple[str, str]]) -> list[str | int]:
    return [fate.detail if isinstance(fate, Problem) else fate for fate in share(requests, denied)]


def foreign(run: str) -> str:
    return f"the run {run} belongs to another sender"


def test_who_claims_what_is_denied_is_refused_with_its_own_run_and_the_rest_stays_together() -> None:
    requests = [{("a", "1"), ("z", "1")}, {("b", "1")}, {("a", "")}, {("c", "1"), ("b", "1")}, {("d", "1")}]
    denied = {("a", "1"), ("a", ""), ("c", "1")}
    assert fates(requests, denied) == [foreign("a"), FIRST, foreign("a"), foreign("c"), FIRST]


def test_where_all_are_at_fault_all_are_refused() -> None:
    assert fates([{("a", "1")}, {("b", "1")}], {("a", "1"), ("b", "1")}) == [foreign("a"), foreign("b")]


def test_a_run_that_another_request_may_begin_is_asked_for_again_after_it() -> None:
    requests = [{("new", "1"), ("a", "1")}, {("new", "2")}, {("new", "1")}]
    assert fates(requests, {("a", "1"), ("new", "2")}) == [foreign("a"), SECOND, FIRST]


def test_where_it_is_not_known_who_is_at_fault_they_are_sent_in_halves() -> None:
    requests = [{("a", "1")}, {("b", "1")}, {("c", "1")}]
    assert fates(requests, set()) == [FIRST, SECOND, SECOND]
    assert fates(requests, {("x", "1")}) == [FIRST, SECOND, SECOND]
    crossed = [{("r", "1"), ("s", "1")}, {("r", "2"), ("s", "2")}]
    assert fates(crossed, {("r", "1"), ("s", "2")}) == [FIRST, SECOND]
