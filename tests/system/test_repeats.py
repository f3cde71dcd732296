"""Done when: a sender that repeats itself, a consumer that is killed again and again, each message once."""

from contextlib import ExitStack

import pytest

from pipeline.clock import to_rfc3339
from tests.support.launched import HEALS_S, Launched
from tests.support.sender import Sender
from tests.support.waiting import never, until

pytestmark = pytest.mark.system

RUN = "repeated"
MESSAGES = 600
SENDERS = 8
PATIENCE_S = 60
TIMES = 3
KILLS = 3


@pytest.mark.long
def test_three_sends_of_each_message_beside_a_dying_consumer_store_it_once_with_its_first_arrival(
    system: Launched,
) -> None:
    with ExitStack() as stack:
        senders = [
            stack.enter_context(
                Sender(system.gateway_port, RUN, numbers=range(n, MESSAGES, SENDERS), batch=1, times=TIMES)
            )
            for n in range(SENDERS)
        ]

        def accepted() -> int:
            return sum(len(sender.accepted) for sender in senders)

        for kill in range(1, KILLS + 1):
            until(lambda kill=kill: accepted() >= kill * MESSAGES / (KILLS + 1), PATIENCE_S, "it is accepted")  # type: ignore[misc]
            system.kill(system.pids()["consumer"])
        until(lambda: all(sender.has_sent_all for sender in senders), PATIENCE_S, "all are accepted")
    until(system.is_well, 2 * HEALS_S)

    query = "SELECT count(*), count(DISTINCT number), max(number) FROM message WHERE run = 'repeated'"
    until(lambda: system.rows(query) == [(MESSAGES, MESSAGES, MESSAGES - 1)], HEALS_S)
    rows = system.rows("SELECT number, arrived_ns FROM message WHERE run = 'repeated'")
    answered = {number: answers for sender in senders for number, answers in sender.answers.items()}
    assert answered == {number: [to_rfc3339(arrived_ns)] * TIMES for number, arrived_ns in rows}


def test_the_figures_on_the_page_are_those_of_the_database(system: Launched) -> None:
    done = system.start_sh("restart", FIZZBUZZ_RATE="0")  # from here on the producer sends nothing
    assert done.returncode == 0, done.stderr
    query = "SELECT max(number), count(*) FROM message"
    own = (
        "SELECT run, max(number), count(*), max(number) + 1 - count(*) FROM message"
        " GROUP BY run ORDER BY min(arrived_ns) DESC LIMIT 1"
    )

    def same() -> bool:
        stats = system.stats()
        run = stats["run"]
        return [(stats["highest_number"], stats["stored_total"])] == system.rows(query) and [
            (run["id"], run["highest_number"], run["stored"], run["missing"])
        ] == system.rows(own)

    until(same, HEALS_S)
    assert never(lambda: not same(), for_s=3)  # and not only in passing
