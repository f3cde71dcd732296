"""Sends one request at its scheduled time: a transport for requests.

``requests.adapters.BaseAdapter`` is requests' own extension point. This one prepares all bytes of a request
but those of its body, waits until the message is due, stamps its time, and sends everything in one packet.
"""

import http.client
import io
import select
import ssl
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

from producer.attempt import MessageBody


class ScheduledAdapter(BaseAdapter):
    """Sends requests over one kept-alive connection, those with a ``MessageBody`` when they are due.

    Every request is sent once: the caller decides whether it may be repeated. One thread at a time.
    """

    def __init__(self) -> None:
        super().__init__()
        self._connection: http.client.HTTPConnection | None = None

    def send(  # noqa: PLR0913, PLR0917 - requests' signature
        self,
        request: requests.PreparedRequest,
        stream: bool = False,  # noqa: FBT001, FBT002
        timeout: Any = None,
        verify: Any = True,  # noqa: FBT002
        cert: Any = None,
        proxies: Any = None,
    ) -> requests.Response:
        """The response, read to its end. ``timeout``: seconds to connect, and for each read.

        Raises:
            requests.ConnectionError: no connection, or it ended before the response did.
            requests.Timeout: no connection, or no response, in time.
        """
        try:
            connection = self._connected(request, timeout, verify)
            connection.send(_head(request) + _body(request.body))
            return self._receive(connection, request)
        except TimeoutError as error:
            self.close()
            raise requests.Timeout(error, request=request) from error
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise requests.ConnectionError(error, request=request) from error

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        connection, self._connection = self._connection, None
        if connection:
            connection.close()

    def _connected(
        self, request: requests.PreparedRequest, timeout: Any, verify: Any
    ) -> http.client.HTTPConnection:
        connect_s, read_s = timeout if isinstance(timeout, tuple) else (timeout, timeout)
        if self._connection and _was_closed(self._connection):
            self.close()
        if self._connection is None:
            connection = _connection_for(str(request.url), connect_s, verify)
            connection.connect()
            self._connection = connection
        self._connection.sock.settimeout(read_s)
        return self._connection

    def _receive(
        self, connection: http.client.HTTPConnection, request: requests.PreparedRequest
    ) -> requests.Response:
        raw = http.client.HTTPResponse(connection.sock, method=request.method)
        raw.begin()
        response = requests.Response()
        response.raw = io.BytesIO(raw.read())
        response.status_code = raw.status
        response.reason = raw.reason
        response.headers = CaseInsensitiveDict(raw.headers.items())
        response.url = str(request.url)
        response.request = request
        if raw.will_close:
            self.close()
        return response


def _connection_for(url: str, timeout_s: float | None, verify: Any) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    if parts.scheme == "http":
        return http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=timeout_s)
    context = ssl.create_default_context(cafile=verify if isinstance(verify, str) else None)
    return http.client.HTTPSConnection(str(parts.hostname), parts.port, timeout=timeout_s, context=context)


def _was_closed(connection: http.client.HTTPConnection) -> bool:
    """Whether an idle connection is readable: it was closed, or has data that was not requested."""
    readable, _, _ = select.select([connection.sock], [], [], 0)
    return bool(readable)


def _head(request: requests.PreparedRequest) -> bytes:
    """The request line and the headers (RFC 9112, sections 3 and 5)."""
    headers = {"Host": urlsplit(str(request.url)).netloc.rpartition("@")[2], **request.headers}
    lines = [f"{request.method} {request.path_url} HTTP/1.1"]
    lines += [f"{name}: {_text(value)}" for name, value in headers.items()]
    return "\r\n".join((*lines, "", "")).encode("latin-1")


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _body(body: Any) -> bytes:
    """The bytes of a body; waits first where it has a scheduled time."""
    if isinstance(body, MessageBody):
        body.attempt.wait()
        return body.encode()
    return body.encode() if isinstance(body, str) else body or b""
