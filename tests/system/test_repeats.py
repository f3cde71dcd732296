"""Done when: a sender that repeats itself, a consumer that is killed again and again, each message once."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from pipeline.clock import to_rfc3339
from tests.support.launched import HEALS_S, Launched
from tests.support.waiting import until

pytestmark = pytest.mark.system

RUN = "repeated"
MESSAGES = 1_500
PATIENCE_S = 60
TIMES = 3
KILLS = 3


class Sender:
    """Sends each message until it is accepted, and that three times over."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.accepted = threading.Event()  # since the test last cleared it

    def send(self, number: int) -> None:
        body = {"run": RUN, "number": number, "sent_at": to_rfc3339(time.time_ns())}
        accepted = 0
        until_s = time.monotonic() + PATIENCE_S
        while accepted < TIMES:
            assert time.monotonic() < until_s, f"number {number} was not accepted"
            accepted += self._post(body)

    def _post(self, body: dict[str, object]) -> bool:
        try:
            accepted = requests.post(self._url, json=body, timeout=10).status_code == 202
        except requests.RequestException:
            accepted = False
        if accepted:
            self.accepted.set()
        else:
            time.sleep(0.1)
        return accepted


def test_three_sends_of_each_message_beside_a_dying_consumer_store_it_once(system: Launched) -> None:
    sender = Sender(f"http://127.0.0.1:{system.gateway_port}/messages")
    with ThreadPoolExecutor(8) as pool:
        sending = [pool.submit(sender.send, number) for number in range(MESSAGES)]
        for _ in range(KILLS):
            time.sleep(2)
            sender.accepted.clear()
            assert sender.accepted.wait(PATIENCE_S)
            system.kill(system.pids()["consumer"])
        for sent in sending:
            sent.result()
    until(system.healthy, 2 * HEALS_S)

    query = "SELECT count(*), count(DISTINCT number), max(number) FROM message WHERE run = 'repeated'"
    until(lambda: system.rows(query) == [(MESSAGES, MESSAGES, MESSAGES - 1)], HEALS_S)


def test_the_figures_on_the_page_are_those_of_the_database(system: Launched) -> None:
    system.up(FIZZBUZZ_RATE="0")  # the producer falls silent, and the rest goes on
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
    time.sleep(3)
    assert same()  # and not only in passing
