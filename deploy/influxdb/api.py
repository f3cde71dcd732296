"""The API of one InfluxDB 2 server, as far as the setup needs it, through InfluxDB's own client.

Source: https://docs.influxdata.com/influxdb/v2/api/
"""

import json
import time
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.rest import ApiException
from urllib3.exceptions import HTTPError

TIMEOUT_MS = 10_000
PAUSE_S = 0.25

# 400, 404: no organisation or bucket that the token may see
_NOT_ALLOWED = {
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_FOUND,
}


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
        self._client = self._connect()

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
        """Make later calls as this user, until ``close``. Raises ApiError 401 where the server refuses."""
        self._client = self._connect(username=username, password=password)
        self.call("GET", "/api/v2/me")

    def call(self, method: str, path: str, body: object = None, **query: str) -> Any:
        """The answer's JSON, None where it is empty.

        Raises:
            ApiError: the server refused.
            Unreachable: no response.
        """
        return self._call(self._client, method, path, body, query)

    def try_token(self, token: str, method: str, path: str, body: object = None, **query: str) -> bool:
        """Whether the server allows this call with this token. Raises ApiError for other refusals."""
        try:
            self._call(self._connect(token=token), method, path, body, query)
        except ApiError as error:
            if error.status in _NOT_ALLOWED:
                return False
            raise
        return True

    def close(self) -> None:
        """Sign out, and close connections."""
        with suppress(ApiException, OSError, HTTPError):  # a session that can't be ended expires by itself
            self._client.close()

    def _connect(self, **credentials: Any) -> InfluxDBClient:
        return InfluxDBClient(self.url, timeout=TIMEOUT_MS, retries=False, **credentials)

    def _call(
        self, client: InfluxDBClient, method: str, path: str, body: object, query: dict[str, str]
    ) -> Any:
        try:
            answer, _, _ = client.api_client.call_api(
                path, method, query_params=list(query.items()), body=body, response_type="object"
            )
        except ApiException as error:
            if not error.status:  # the client's own, of a TLS failure
                raise self._unreachable(error.reason) from None
            raise ApiError(error.status, _message(error.body)) from None
        except (OSError, HTTPError) as error:
            raise self._unreachable(error) from error
        return answer or None

    def _unreachable(self, reason: object) -> Unreachable:
        return Unreachable(f"InfluxDB at {self.url} can't be reached: {' '.join(str(reason).split())}")


def _message(body: str) -> str:
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return str(body or "").strip()
