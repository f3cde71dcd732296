"""A sender that keeps its promises: it repeats each request, as it is, until it is answered 202."""

import itertools
import threading
from collections.abc import Iterable
from datetime import UTC, datetime

import requests

BATCH = 20
PAUSE_S = 0.02
TIMEOUT_S = 8.0


class Sender:
    """Sends messages of one run, one request after another, from ``start`` to ``stop`` or within a ``with``.

    ``batch`` messages a request; ``times`` are the acceptances that each request wants. Each request has a
    connection of its own where ``keep_alive`` is off: a proxy may give each to another gateway. Between two
    requests it pauses for ``pause_s``.
    """

    def __init__(
        self,
        port: int | str,
        run: str,
        *,
        numbers: Iterable[int] | None = None,
        batch: int = BATCH,
        times: int = 1,
        keep_alive: bool = True,
        pause_s: float = PAUSE_S,
    ) -> None:
        self.run = run
        self.accepted: set[int] = set()
        """The numbers that were answered 202."""
        self.answers: dict[int, list[str]] = {}
        """Of each request its first number, and the arrivals that the answers reported for it."""
        self._url = f"http://127.0.0.1:{port}/messages"
        self._numbers = itertools.count() if numbers is None else numbers
        self._batch = batch
        self._times = times
        self._keep_alive = keep_alive
        self._pause_s = pause_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._send, daemon=True)

    @property
    def arrived_at(self) -> dict[int, str]:
        """Of each request its first number, and the arrival that its first answer reported."""
        return {first: arrivals[0] for first, arrivals in self.answers.copy().items()}

    @property
    def has_sent_all(self) -> bool:
        """Whether each of ``numbers`` was accepted, ``times`` times."""
        return not self._thread.is_alive() and not self._stop.is_set()

    def __enter__(self) -> "Sender":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(30)
        assert not self._thread.is_alive()

    def _send(self) -> None:
        numbers = iter(self._numbers)
        with requests.Session() as session:
            if not self._keep_alive:
                session.headers["Connection"] = "close"
            while group := list(itertools.islice(numbers, self._batch)):
                sent_at = datetime.now(UTC).isoformat()
                body = [{"run": self.run, "number": number, "sent_at": sent_at} for number in group]
                arrivals: list[str] = []
                while len(arrivals) < self._times:
                    if arrived_at := self._accept(session, body):
                        arrivals.append(arrived_at)
                    if self._stop.wait(self._pause_s):
                        break
                if arrivals:
                    self.answers[group[0]] = arrivals
                    self.accepted.update(group)
                if self._stop.is_set():
                    return

    def _accept(self, session: requests.Session, body: list[dict[str, object]]) -> str:
        """The arrival that the answer reports; empty where it is no 202."""
        try:
            answer = session.post(self._url, json=body if len(body) > 1 else body[0], timeout=TIMEOUT_S)
        except requests.RequestException:
            return ""
        return str(answer.json()["arrived_at"]) if answer.status_code == 202 else ""
