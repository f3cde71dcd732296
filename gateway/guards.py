"""Protection against other sites' pages in a browser."""

from functools import lru_cache
from urllib.parse import urlsplit

from flask import request

from gateway.problems import Problem
from pipeline import hosts
from pipeline.settings import Settings


class Guard:
    """Rejects requests that another site's page made its visitor's browser send."""

    def __init__(self, settings: Settings) -> None:
        bind, further = settings.bind, settings.hosts
        self._is_allowed = lru_cache(maxsize=100)(lambda host: hosts.allowed(host, bind, further))

    def check(self) -> None:
        """Raises Problem: 421 for an unknown host, 403 for a POST by another site's page."""
        environ = request.environ
        if not self._is_allowed(environ.get("HTTP_HOST")):
            raise Problem(421, "unknown host; FIZZBUZZ_HOSTS allows further ones")
        if environ["REQUEST_METHOD"] != "POST":
            return
        origin = environ.get("HTTP_ORIGIN")
        if origin is not None and not self._is_allowed(_host(origin)):
            raise Problem(403, "pages of other sites may not send messages")
        if environ.get("HTTP_SEC_FETCH_SITE") == "cross-site":
            raise Problem(403, "pages of other sites may not send messages")


def _host(origin: str) -> str | None:
    """The host of an Origin header; None of ``null`` and the like."""
    try:
        return urlsplit(origin).netloc or None
    except ValueError:
        return None
