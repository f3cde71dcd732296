"""One InfluxDB 2 server: writes of line protocol, Flux queries, and what each failure means."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.rest import ApiException
from influxdb_client.service.write_service import WriteService

from pipeline.clock import to_rfc3339
from pipeline.settings import Influx
from pipeline.store.base import MessageRejected, StoreUnavailable

TIMEOUT_MS = 5_000

Answer = TypeVar("Answer")

Row = Mapping[str, str]
"""One row of an answer, as text by column name; ``result`` names the yield."""

_DIALECT = {"annotations": [], "header": True, "delimiter": ","}

# What no retry can fix: malformed lines, a field of another type, arrivals beyond the retention.
_REJECTED = {HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY}

_HINTS = {
    HTTPStatus.UNAUTHORIZED: "its token is not valid: see INFLUXDB_TOKEN",
    HTTPStatus.FORBIDDEN: "the token lacks the right: see INFLUXDB_TOKEN",
    HTTPStatus.NOT_FOUND: "no such bucket or organisation: see INFLUXDB_BUCKET and INFLUXDB_ORG",
    HTTPStatus.TOO_MANY_REQUESTS: "it is overloaded",
}

_MAX_REASON = 300
"""Characters of another server's message, which may be a page of HTML."""


class InfluxClient:
    """Talks to the server of ``settings``; connects at the first call. Not thread-safe.

    Only what InfluxDB documents as a rejection of the data itself is MessageRejected. Every other failure
    is StoreUnavailable with its reason: no connection, TLS, a proxy's answer, one cut short. A token that the
    server refuses (401) is read again from its file, so a renewed one works without a restart.
    """

    def __init__(self, settings: Influx) -> None:
        self._settings = settings
        self._token = settings.token
        self._url = _without_credentials(settings.url)
        self._client: InfluxDBClient | None = None

    def write(self, lines: Iterable[str], *, timeout_ms: int | None = None) -> None:
        """Write line protocol with times in nanoseconds; it is on disk when this returns.

        Raises:
            MessageRejected: the server rejects the data. Lines that it did not reject may be stored.
            StoreUnavailable: anything else went wrong.
        """
        body = "\n".join(lines).encode()
        status = self._request(lambda: self._post(body, timeout_ms or TIMEOUT_MS))
        if status != HTTPStatus.NO_CONTENT:
            raise StoreUnavailable(f"InfluxDB at {self._url} answered a write with {_named(status)}")

    def query(self, flux: str) -> list[Row]:
        """The rows of a query. Raises StoreUnavailable."""
        rows = self._request(lambda: list(_rows(self._post_query(flux).decode())))
        for row in rows:
            if "result" not in row:  # a query that fails half-way reports it in a table of its own
                raise StoreUnavailable(f"InfluxDB at {self._url}: {row.get('error') or row}"[:_MAX_REASON])
        return rows

    def delete(self, measurement: str, run: str, start_ns: int, stop_ns: int) -> None:
        """Delete the points of a run in a range of time. Raises StoreUnavailable."""
        predicate = f'_measurement="{measurement}" AND run="{run}"'
        settings = self._settings
        start, stop = (to_rfc3339(ns, timespec="microseconds") for ns in (start_ns, stop_ns))
        scope = {"bucket": settings.bucket, "org": settings.org}
        self._request(lambda: self._connected().delete_api().delete(start, stop, predicate, **scope))

    def close(self) -> None:
        """Close connections."""
        client, self._client = self._client, None
        if client:
            client.close()

    def _post(self, body: bytes, timeout_ms: int) -> int:
        settings = self._settings
        service = WriteService(self._connected().api_client)
        try:
            _, status, _ = service.post_write_with_http_info(
                settings.org,
                settings.bucket,
                body,
                precision="ns",
                content_type="text/plain; charset=utf-8",
                _request_timeout=timeout_ms,
            )
        except ApiException as error:
            if _is_rejection(error):
                raise MessageRejected(f"InfluxDB: {_text(error)}") from error
            raise
        return int(status)

    def _post_query(self, flux: str) -> bytes:
        data: bytes = self._connected().query_api().query_raw(flux, dialect=_DIALECT).data
        return data

    def _request(self, request: Callable[[], Answer]) -> Answer:
        """What the request returns. Raises MessageRejected; StoreUnavailable for whatever else a broken
        connection or an unexpected response makes the client raise."""
        try:
            return self._with_valid_token(request)
        except MessageRejected:
            raise
        except ApiException as error:
            raise self._unavailable(error) from error
        except Exception as error:
            raise self._unreachable(error) from error

    def _with_valid_token(self, request: Callable[[], Answer]) -> Answer:
        """Make the request; if the token is refused and its file has another one, once more with that."""
        try:
            return request()
        except ApiException as error:
            if error.status != HTTPStatus.UNAUTHORIZED or not self._reload_token():
                raise
        return request()

    def _reload_token(self) -> bool:
        """Whether the token's file holds another token now, which is used from then on."""
        token = ""
        # Without a readable token the server's own refusal is reported.
        with suppress(OSError, UnicodeDecodeError):
            token = self._settings.token_file.read_text().strip() if self._settings.token_file else ""
        if token in ("", self._token):
            return False
        self._token = token
        self.close()
        return True

    def _connected(self) -> InfluxDBClient:
        if self._client is None:
            settings = self._settings
            self._client = InfluxDBClient(
                settings.url,
                self._token,
                org=settings.org,
                timeout=TIMEOUT_MS,
                retries=False,
                ssl_ca_cert=str(settings.ca) if settings.ca else None,
            )
        return self._client

    def _unavailable(self, error: ApiException) -> StoreUnavailable:
        if not error.status:  # the client's own, of a TLS failure
            return self._unreachable(error.reason)
        headers: Mapping[str, str] = error.headers or {}
        after = headers.get("Retry-After", "")
        hint = _HINTS.get(error.status) or _text(error)
        return StoreUnavailable(
            f"InfluxDB at {self._url} answered {_named(error.status)}: {hint}",
            retry_after_s=float(after) if after.isdecimal() else None,
        )

    def _unreachable(self, reason: object) -> StoreUnavailable:
        text = " ".join(str(reason).split()) or type(reason).__name__
        return StoreUnavailable(f"InfluxDB at {self._url} can't be reached: {text}")


def _is_rejection(error: ApiException) -> bool:
    """Whether the server itself rejects the data; a proxy's 400 says nothing about the data.

    Source: https://docs.influxdata.com/influxdb/v2/api/#operation/PostWrite
    """
    if error.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:  # of a proxy too: smaller batches may pass
        return True
    return error.status in _REJECTED and _message(error) is not None


def _message(error: ApiException) -> str | None:
    """The message of an error in InfluxDB's own format, None where it has another format."""
    body: Any = error.body
    try:
        answer = json.loads(body)
        return f"{answer['message']}" if "code" in answer else None
    except (TypeError, ValueError, KeyError):
        return None


def _text(error: ApiException) -> str:
    body = error.body.decode(errors="replace") if isinstance(error.body, bytes) else error.body
    return _message(error) or " ".join(str(body or error.reason or "no reason given").split())[:_MAX_REASON]


def _named(status: int) -> str:
    """A status with its name, where it has one: proxies have statuses of their own, such as 522."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _without_credentials(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _rows(text: str) -> Iterator[Row]:
    """Annotated CSV without annotations: tables with a header each, empty lines between them."""
    header: list[str] = []
    for row in csv.reader(io.StringIO(text)):
        if not row:
            header = []
        elif not header:
            header = row
        else:
            yield dict(zip(header, row, strict=True))
