"""What every request must pass, and every answer carries, against pages of other sites in a browser."""

from urllib.parse import urlsplit

from flask import Response, request

from gateway.problems import Problem
from pipeline import hosts
from pipeline.settings import Settings

HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
"""Of every answer."""


class Guard:
    """Refuses requests that a page from elsewhere made its visitor's browser send."""

    def __init__(self, settings: Settings) -> None:
        self._bind = settings.bind
        self._hosts = settings.hosts

    def check(self) -> None:
        """Raises Problem: 421 for a host that is not ours, 403 for a POST of another site's page."""
        headers = request.headers
        if not self._is_ours(headers.get("Host")):
            raise Problem(421, "this host is not known here; FIZZBUZZ_HOSTS names further ones")
        if request.method != "POST":
            return
        origin = headers.get("Origin")
        if origin is not None and not self._is_ours(_host(origin)):
            raise Problem(403, "pages of other sites may not send messages")
        if headers.get("Sec-Fetch-Site") == "cross-site":
            raise Problem(403, "pages of other sites may not send messages")

    def _is_ours(self, host: str | None) -> bool:
        return hosts.allowed(host, self._bind, self._hosts)


def mark(response: Response) -> Response:
    """Add the headers of every answer."""
    response.headers.update(HEADERS)
    return response


def _host(origin: str) -> str | None:
    """The host of an Origin header; None of ``null`` and the like."""
    try:
        return urlsplit(origin).netloc or None
    except ValueError:
        return None
