"""The HTTP API of one InfluxDB 2 server, as far as the setup needs it.

Source: https://docs.influxdata.com/influxdb/v2/api/
"""

import base64
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from http.client import HTTPException
from typing import Any
from urllib.parse import urlencode

TIMEOUT_S = 10.0
PAUSE_S = 0.25


class ApiError(Exception):
    """The server answered with an error; ``status`` is HTTP's."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


class Unreachable(Exception):
    """The server did not respond."""


class Api:
    """Calls of the server at ``url``, as the user who signed in."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._session = ""

    def wait_until_ready(
        self,
        timeout_s: float,
        *,
        sleep: Callable[[float], None] = time.sleep,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Return as soon as the server accepts queries and writes.

        Raises:
            Unreachable: it does not within ``timeout_s``.
        """
        until_s = now_s() + timeout_s
        while True:
            try:
                self.call("GET", "/health")
            except (ApiError, Unreachable) as error:
                if now_s() >= until_s:
                    raise Unreachable(f"InfluxDB at {self.url} is not ready: {error}") from error
                sleep(PAUSE_S)
            else:
                return

    def sign_in(self, username: str, password: str) -> None:
        """Make all later calls as this user. Raises ApiError 401 where the server refuses."""
        credentials = base64.b64encode(f"{username}:{password}".encode()).decode()
        _, headers = self._send("POST", "/api/v2/signin", None, {"Authorization": f"Basic {credentials}"})
        self._session = headers["Set-Cookie"].partition(";")[0]

    def call(self, method: str, path: str, body: object = None, **query: str) -> Any:
        """The answer's JSON, None where it is empty.

        Raises:
            ApiError: the server refused.
            Unreachable: no response.
        """
        headers = {"Cookie": self._session} if self._session else {}
        answer, _ = self._send(method, _with_query(path, query), body, headers)
        return json.loads(answer) if answer.strip() else None

    def try_token(self, token: str, method: str, path: str, body: object = None, **query: str) -> bool:
        """Whether the server allows this call with this token. Raises ApiError for other refusals."""
        try:
            self._send(method, _with_query(path, query), body, {"Authorization": f"Token {token}"})
        except ApiError as error:
            if error.status in (
                400,
                401,
                403,
                404,
            ):  # 400, 404: no organisation or bucket that the token may see
                return False
            raise
        return True

    def _send(
        self, method: str, path: str, body: object, headers: Mapping[str, str]
    ) -> tuple[bytes, Mapping[str, str]]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, method=method)  # noqa: S310  # the settings allow http and https alone
        request.add_header("Content-Type", "application/json")
        for name, value in headers.items():
            request.add_header(name, value)
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310
                return answer.read(), answer.headers
        except urllib.error.HTTPError as error:
            raise ApiError(error.code, _message(error.read())) from None
        except (OSError, HTTPException) as error:
            raise Unreachable(f"InfluxDB at {self.url} can't be reached: {error}") from error


def _with_query(path: str, query: Mapping[str, str]) -> str:
    return f"{path}?{urlencode(query)}" if query else path


def _message(body: bytes) -> str:
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return body.decode(errors="replace").strip()
