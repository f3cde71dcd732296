"""When a system accepts messages: one is sent again and again, and each acceptance is recorded."""

import json
import threading
import urllib.request
from datetime import UTC, datetime
from typing import Self

from pipeline import local_tls
from tests.support.waiting import Stopwatch

PERIOD_S = 0.1
TIMEOUT_S = 2.0


class Acceptance:
    """Sends to ``url`` from the start of a ``with`` to its end, accepted or not."""

    def __init__(self, url: str, run: str) -> None:
        self._url = url
        self._run = run
        self._open = local_tls.opener().open
        self._since = Stopwatch()
        """Since the last acceptance."""
        self._longest_s = self._longest_own_s = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._send, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(2 * TIMEOUT_S)

    def longest_pause_s(self) -> float:
        """The longest time between two acceptances; from the start, and until now."""
        return max(self._longest_s, self._since.passed_s)

    def longest_own_s(self) -> float:
        """The same in seconds of a ``Stopwatch``, beside other work."""
        return max(self._longest_own_s, self._since.seconds)

    def _send(self) -> None:
        number = 0
        while not self._stop.wait(PERIOD_S):
            body = json.dumps({"run": self._run, "number": number, "sent_at": datetime.now(UTC).isoformat()})
            request = urllib.request.Request(
                self._url, body.encode(), {"Content-Type": "application/json"}, method="POST"
            )
            try:
                with self._open(request, timeout=TIMEOUT_S):
                    self._longest_s, self._longest_own_s = self.longest_pause_s(), self.longest_own_s()
                    self._since = Stopwatch()
            except OSError:
                continue
            number += 1
