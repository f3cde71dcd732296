"""Servers of a group that start again: which is the primary, and that nothing is lost by it.

By the scripts that containers run. What is written here is as good as an accepted message: a replica has it.
"""

import shutil
import time
from collections.abc import Iterator

import pytest

from tests.support import scripted_group
from tests.support.redis_group import NAME
from tests.support.scripted_group import ScriptedGroup
from tests.support.waiting import awaited, until

pytestmark = pytest.mark.skipif(not shutil.which("redis-cli"), reason="no redis-cli on PATH")

TAKES_OVER_S = 15.0
SETTLES_S = 60.0
"""Sentinels that were away, or that hear of each other late, agree within this."""


@pytest.fixture
def group() -> Iterator[ScriptedGroup]:
    with scripted_group.running() as group:
        yield group


def test_a_primary_that_starts_again_follows_the_replica_that_took_over(group: ScriptedGroup) -> None:
    first, *others = group.hosts
    group.servers[first].kill()
    group.servers[first].start()
    until(lambda: group.writes("after"), TAKES_OVER_S, "it is written again")
    until(lambda: any(group.follow(host) for host in others), SETTLES_S, "all follow another one")
    until(lambda: group.all_have("fizzbuzz:first", "after"), TAKES_OVER_S, "nothing is lost")


def test_a_primary_that_was_replaced_is_none_again_though_most_sentinels_have_not_heard_of_it(
    group: ScriptedGroup,
) -> None:
    """The Sentinel that had it replaced is gone before the two others, which start again, have heard."""
    first, *others = group.hosts
    leader, *uninformed = group.sentinel_hosts
    for host in uninformed:
        group.sentinels[host].kill()
    group.servers[first].kill()
    group.admin(leader).execute_command("SENTINEL", "FAILOVER", NAME)  # type: ignore[no-untyped-call]
    until(lambda: "slave" in map(group.role, others) and "master" in map(group.role, others), TAKES_OVER_S)
    until(lambda: group.writes("after"), TAKES_OVER_S, "it is written again")
    group.sentinels[leader].kill()
    for host in uninformed:
        group.sentinels[host].start()
    until(lambda: {group.named(host) for host in uninformed} == {first}, 10, "they name the first one")
    group.servers[first].start()

    def has_settled() -> bool:
        names = {group.named(host) for host in uninformed}
        return len(names) == 1 and names.pop() in others and group.role(first) == "slave"

    until(has_settled, SETTLES_S, "the two Sentinels replace it too", group.servers[first].log_file)
    until(lambda: group.all_have("after"), TAKES_OVER_S, "nothing is lost")


def test_a_sentinel_ends_at_once_but_not_while_it_replaces_the_primary(group: ScriptedGroup) -> None:
    def logged(words: str) -> list[str]:
        return [host for host, one in group.sentinels.items() if words in one.text()]

    for host in group.sentinel_hosts:
        assert group.stop_sentinel(host).wait(5) == 0
    group.servers[group.hosts[0]].kill()
    (leader,) = awaited(
        lambda: logged("+failover-state-wait-promotion"), bool, TAKES_OVER_S, "one replaces it"
    )
    assert group.stop_sentinel(leader).wait(TAKES_OVER_S) == 0
    assert logged("+failover-end") == [leader]


def test_after_a_power_cut_the_primary_is_the_primary_though_replicas_are_back_before_it(
    group: ScriptedGroup,
) -> None:
    """One of these lacks what only the primary and the other one had."""
    first, behind, _ = group.hosts
    group.servers[behind].kill()
    assert group.writes("last")
    for one in group.everything:
        one.kill()
    for host in group.hosts[1:]:
        group.servers[host].start()
    for sentinel in group.sentinels.values():
        sentinel.start()
    time.sleep(3 * 3)  # three times as long as a Sentinel waits for a server
    assert [group.role(host) for host in group.hosts] == ["", "", ""]
    group.servers[first].start()
    until(lambda: group.follow(first), SETTLES_S, "all follow the first one", group.servers[first].log_file)
    until(lambda: group.all_have("last"), TAKES_OVER_S, "nothing is lost")


def test_one_sentinel_alone_makes_no_server_the_primary(group: ScriptedGroup) -> None:
    """The others may know of another primary."""
    first = group.hosts[0]
    for one in group.everything:
        one.kill()
    group.sentinels[group.sentinel_hosts[0]].start()
    group.servers[first].start()
    until(lambda: "until 2 Sentinels answer; so far 1" in group.servers[first].text())
    group.sentinels[group.sentinel_hosts[1]].start()
    until(
        lambda: group.role(first) == "master", TAKES_OVER_S, "two are enough", group.servers[first].log_file
    )
