"""A sender of a run of its own, which repeats what was not acknowledged, and remembers what was."""

import http.client
import json
import threading
import time
from datetime import UTC, datetime

PAUSE_S = 0.02


class Sender:
    """Use it in a ``with``: it sends one message after another until that ends."""

    def __init__(self, port: str, run: str) -> None:
        self.run = run
        self.acknowledged: set[int] = set()
        self.arrived_at: dict[int, datetime] = {}
        """What the answer told of each, to whole microseconds."""
        self._port = int(port)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._send_all, daemon=True)

    def __enter__(self) -> "Sender":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(30)
        assert not self._thread.is_alive()

    def _send_all(self) -> None:
        number = 0
        while not self._stop.is_set():
            body = {"run": self.run, "number": number, "sent_at": datetime.now(UTC).isoformat()}
            while not self._send(json.dumps(body)) and not self._stop.is_set():
                time.sleep(0.1)
            number += 1
            time.sleep(PAUSE_S)

    def _send(self, body: str) -> bool:
        """One POST on a new connection; whether it was acknowledged."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=8)
        try:
            connection.request("POST", "/messages", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            told, acknowledged = answer.read(), answer.status == 202
        except (OSError, http.client.HTTPException):
            acknowledged = False
        finally:
            connection.close()
        if acknowledged:
            number = json.loads(body)["number"]
            self.acknowledged.add(number)
            self.arrived_at[number] = datetime.fromisoformat(json.loads(told)["arrived_at"])
        return acknowledged
