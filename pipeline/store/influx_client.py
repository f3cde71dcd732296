"""One InfluxDB 2 server: writes of line protocol, Flux queries, and what each failure means."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any

from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException
from urllib3.exceptions import HTTPError

from pipeline.settings import Influx
from pipeline.store.base import MessageRejected, StoreUnavailable

TIMEOUT_MS = 5_000

_DIALECT = {"annotations": [], "header": True, "delimiter": ","}

# What no retry can mend: malformed lines, a field of another type, arrivals beyond the retention.
_REJECTED = {HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY}

_HINTS = {
    HTTPStatus.UNAUTHORIZED: "its token is not valid: see INFLUXDB_TOKEN",
    HTTPStatus.FORBIDDEN: "the token lacks the right: see INFLUXDB_TOKEN",
    HTTPStatus.NOT_FOUND: "no such bucket or organisation: see INFLUXDB_BUCKET and INFLUXDB_ORG",
    HTTPStatus.TOO_MANY_REQUESTS: "it is overloaded",
}


class InfluxClient:
    """Talks to the server of ``settings``; connects at the first call. Not thread-safe.

    Both calls raise StoreUnavailable where a retry may help, ``write`` also MessageRejected.
    """

    def __init__(self, settings: Influx) -> None:
        self._settings = settings
        self._client: InfluxDBClient | None = None

    def write(self, lines: Iterable[str]) -> None:
        """Write line protocol with times in nanoseconds; it is on disk when this returns."""
        try:
            api = self._connected().write_api(write_options=SYNCHRONOUS)
            api.write(self._settings.bucket, record="\n".join(lines).encode())
        except ApiException as error:
            if error.status in _REJECTED:
                raise MessageRejected(f"InfluxDB: {_text(error)}") from error
            raise self._unavailable(error) from error
        except (HTTPError, OSError) as error:
            raise self._unreachable(error) from error

    def query(self, flux: str) -> Iterator[dict[str, str]]:
        """The rows of a query, as text by column name; ``result`` names the yield."""
        try:
            answer = self._connected().query_api().query_raw(flux, dialect=_DIALECT)
            text = answer.data.decode()
        except ApiException as error:
            raise self._unavailable(error) from error
        except (HTTPError, OSError) as error:
            raise self._unreachable(error) from error
        return _rows(text)

    def close(self) -> None:
        """Let go of connections."""
        client, self._client = self._client, None
        if client:
            client.close()

    def _connected(self) -> InfluxDBClient:
        if self._client is None:
            settings = self._settings
            self._client = InfluxDBClient(
                settings.url, settings.token, org=settings.org, timeout=TIMEOUT_MS, retries=False
            )
        return self._client

    def _unavailable(self, error: ApiException) -> StoreUnavailable:
        status = HTTPStatus(error.status)
        hint = _HINTS.get(status, _text(error))
        headers: Mapping[str, str] = error.headers or {}
        after = headers.get("Retry-After", "")
        return StoreUnavailable(
            f"InfluxDB at {self._settings.url} answered {status.value} {status.phrase}: {hint}",
            retry_after_s=float(after) if after.isdigit() else None,
        )

    def _unreachable(self, error: Exception) -> StoreUnavailable:
        return StoreUnavailable(f"InfluxDB at {self._settings.url} can't be reached: {error}")


def _text(error: ApiException) -> str:
    """What the server said, without its packaging."""
    body: Any = error.body
    try:
        return str(json.loads(body)["message"])
    except (TypeError, ValueError, KeyError):
        return str(body or error.reason or error.status)


def _rows(text: str) -> Iterator[dict[str, str]]:
    """Annotated CSV without annotations: tables with a header each, empty lines between them."""
    header: list[str] = []
    for row in csv.reader(io.StringIO(text)):
        if not row:
            header = []
        elif not header:
            header = row
        else:
            yield dict(zip(header, row, strict=True))
