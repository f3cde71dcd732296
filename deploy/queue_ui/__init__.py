"""rq-dashboard behind a guard: it asks for no password, and any page in a browser can send to the loopback.

Standard library only, apart from rq-dashboard itself.
"""

import ipaddress
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]
_READS = ("GET", "HEAD", "OPTIONS")


def guard(application: Application) -> Application:
    """The WSGI ``application``, for requests that name this machine and come from no other site's page."""

    def guarded(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        host = environ.get("HTTP_HOST", "")
        if not _is_loopback(host):  # DNS that was pointed here later (rebinding) still sends its own name
            return _refuse(start_response, "421 Misdirected Request")
        if environ["REQUEST_METHOD"] not in _READS and _is_foreign(environ, host):
            return _refuse(start_response, "403 Forbidden")
        return application(environ, start_response)

    return guarded


def create_app() -> Application:
    """What gunicorn serves."""
    os.environ["RQ_DASHBOARD_REDIS_URL"] = Path(os.environ["REDIS_URL_FILE"]).read_text()
    from rq_dashboard.app import create_app as dashboard  # only in its own image; it reads that

    return guard(dashboard())


def _is_loopback(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _is_foreign(environ: dict[str, Any], host: str) -> bool:
    """Whether a browser reports that the request comes from elsewhere; programs do not report it."""
    origin, site = environ.get("HTTP_ORIGIN"), environ.get("HTTP_SEC_FETCH_SITE", "none")
    return site not in ("none", "same-origin") or origin not in (None, f"http://{host}", f"https://{host}")


def _refuse(start_response: Any, status: str) -> Iterable[bytes]:
    text = f"{status}\n".encode()
    headers = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(text)))]
    start_response(status, headers)
    return [text]
