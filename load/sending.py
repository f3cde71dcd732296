"""Sends a plan's requests on time, from many kept-alive connections."""

import threading
import time
from collections.abc import Callable, Iterator

import requests

from load.plan import Plan
from load.tally import Tally
from pipeline.clock import to_rfc3339

CONNECTIONS = 64
TIMEOUT_S = 10.0


class _Turns:
    """The requests in order, each handed to one thread."""

    def __init__(self, count: int) -> None:
        self._turns = iter(range(count))
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[int]:
        while (index := self._next()) is not None:
            yield index

    def _next(self) -> int | None:
        with self._lock:
            return next(self._turns, None)


class Sending:
    """One run of a plan against the gateway at ``url``. Nothing is sent twice."""

    def __init__(self, plan: Plan, url: str, token: str, run: str) -> None:
        self._plan = plan
        self._url = f"{url}/messages"
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._run = run
        self.tally = Tally()

    def run(self, progress: Callable[[int], object]) -> float:
        """Send all; ``progress`` is told of messages as they are answered. Seconds that it took."""
        turns = _Turns(self._plan.requests)
        started_s = time.monotonic()
        lanes = [
            threading.Thread(target=self._lane, args=(turns, started_s, progress), daemon=True)
            for _ in range(min(CONNECTIONS, self._plan.requests))
        ]
        for lane in lanes:
            lane.start()
        for lane in lanes:
            lane.join()
        return time.monotonic() - started_s

    def _lane(self, turns: _Turns, started_s: float, progress: Callable[[int], object]) -> None:
        with requests.Session() as session:
            session.headers.update(self._headers)
            for index in turns:
                due_s = started_s + self._plan.due_s(index)
                time.sleep(max(0.0, due_s - time.monotonic()))
                self._send(session, index, due_s)
                progress(self._plan.batch)

    def _send(self, session: requests.Session, index: int, due_s: float) -> None:
        sent_at = to_rfc3339(time.time_ns())
        messages = [{"run": self._run, "number": n, "sent_at": sent_at} for n in self._plan.numbers(index)]
        try:
            response = session.post(self._url, json=messages, timeout=TIMEOUT_S)
        except requests.RequestException as error:
            self.tally.refuse(len(messages), type(error).__name__)
            return
        if response.status_code == requests.codes.accepted:
            latency_ms = (time.monotonic() - due_s) * 1e3
            self.tally.acknowledge(len(messages), response.json()["duplicates"], latency_ms)
        else:
            self.tally.refuse(len(messages), str(response.status_code))
