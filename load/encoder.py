"""The bytes of a request, and what an answer says."""

import json
import time
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)


class Encoder:
    """Makes the requests of one run; ``sent_at`` is stamped when a request is made.

    Args:
        url: the gateway's base URL.
        run: the run that the messages belong to.
        headers: beside those of every request.
    """

    def __init__(self, url: str, run: str, headers: dict[str, str]) -> None:
        parts = urlsplit(url)
        lines = {"Host": parts.netloc.rpartition("@")[2], "Content-Type": "application/json", **headers}
        head = f"POST {parts.path}/messages HTTP/1.1\r\n"
        self._head = head + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        self._run = run
        self._second, self._text = -1, ""

    def request(self, numbers: range) -> bytes:
        """The request for ``numbers``, ready to be written to a connection."""
        tail = f',"sent_at":"{self._now()}","run":"{self._run}"}}'
        bodies = [f'{{"number":{number}{tail}' for number in numbers]
        body = bodies[0] if len(bodies) == 1 else f"[{','.join(bodies)}]"
        return f"{self._head}Content-Length: {len(body)}\r\n\r\n{body}".encode()

    def _now(self) -> str:
        second, rest_ns = divmod(time.time_ns(), 1_000_000_000)
        if second != self._second:
            self._second = second
            self._text = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S.")
        return f"{self._text}{rest_ns // 1_000:06d}Z"


def receipt(body: bytes) -> tuple[int | None, int]:
    """Arrival in Unix microseconds and duplicates that a 202 reports; no arrival where it has none."""
    try:
        response = json.loads(body)
        moment = datetime.fromisoformat(response["arrived_at"])
        return (moment - _EPOCH) // _US, int(response["duplicates"])
    except (ValueError, TypeError, KeyError):
        return None, 0
