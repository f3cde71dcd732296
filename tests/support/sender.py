"""A sender that keeps its promises: it repeats each request, as it is, until it is answered 202."""

import itertools
import threading
from datetime import UTC, datetime

import requests

BATCH = 20
PAUSE_S = 0.02


class Sender:
    """Sends batches of one run, one after another, from ``start`` to ``stop``."""

    def __init__(self, gateway_port: int, run: str) -> None:
        self._url = f"http://127.0.0.1:{gateway_port}/messages"
        self._run = run
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._send, daemon=True)
        self.accepted: set[int] = set()
        """The numbers that were answered 202."""
        self.arrived_at: dict[int, str] = {}
        """Of each batch its first number, and the arrival that the answer told of it."""

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(30)

    def _send(self) -> None:
        with requests.Session() as session:
            for first in itertools.count(0, BATCH):
                numbers = range(first, first + BATCH)
                sent_at = datetime.now(UTC).isoformat()
                body = [{"run": self._run, "number": number, "sent_at": sent_at} for number in numbers]
                while not (arrived_at := self._accept(session, body)):
                    if self._stop.wait(PAUSE_S):
                        return
                self.accepted.update(numbers)
                self.arrived_at[first] = arrived_at
                if self._stop.wait(PAUSE_S):
                    return

    def _accept(self, session: requests.Session, body: list[dict[str, object]]) -> str:
        """The arrival that the answer tells; empty where it is no 202."""
        try:
            answer = session.post(self._url, json=body, timeout=5)
        except requests.RequestException:
            return ""
        return str(answer.json()["arrived_at"]) if answer.status_code == 202 else ""
