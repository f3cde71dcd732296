"""The page at ``/``: what this API is, a command that sends a message, and a form that does."""

import shlex
from pathlib import Path
from typing import Any

from flask import Response, render_template, request, send_from_directory

from gateway.lean_flask import json_response

PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Vary": "Accept",
}
"""Headers of the page: no script, style, frame or form target from elsewhere."""

DESCRIPTION = (
    "Accepts messages over HTTP. A message that was answered 202 is on disk and reaches the database exactly"
    " once; anything else may be sent again as it is."
)

NOW = """python3 -c 'import datetime as d; print(d.datetime.now(d.timezone.utc).isoformat())'"""
"""Prints the time with microseconds. ``date`` can't on every system: macOS's knows no fractions."""

_STATIC = Path(__file__).with_name("static")
_MEDIA_TYPES = ("text/html", "application/json")  # the first is for clients that accept both


def example(base_url: str, *, secured: bool) -> str:
    """A command for a POSIX shell that sends one message, on Linux and macOS.

    Args:
        base_url: where the API is, without a slash at its end.
        secured: whether requests need a token.
    """
    token = ' -H "Authorization: Bearer $TOKEN"' if secured else ""
    return (
        f"curl {shlex.quote(f'{base_url}/messages')} -H 'Content-Type: application/json'{token} \\\n"
        f"""  -d '{{"run": "mine", "number": 0, "sent_at": "'"$({NOW})"'"}}'"""
    )


def example_here(*, secured: bool) -> str:
    """``example`` with the address by which the current request came."""
    behind_tls = request.headers.get("X-Forwarded-Proto") == "https"  # only this response depends on it
    scheme = "https" if behind_tls else request.scheme
    return example(f"{scheme}://{request.host}", secured=secured)


def respond(*, secured: bool) -> Response:
    """The response to ``GET /``: HTML, or JSON where the client prefers that."""
    command = example_here(secured=secured)
    if request.accept_mimetypes.best_match(_MEDIA_TYPES) == "application/json":
        return json_response(_document(command), headers={"Vary": "Accept"})
    html = render_template("home.html", description=DESCRIPTION, command=command, secured=secured)
    return Response(html, content_type="text/html; charset=utf-8", headers=PAGE_HEADERS)


def file(name: str) -> Response:
    """A file that the page refers to. Raises NotFound."""
    response = send_from_directory(_STATIC, name)
    for header in ("Cache-Control", "Date"):  # the server sets them for every response
        del response.headers[header]
    return response


def _document(command: str) -> dict[str, Any]:
    return {
        "title": "Message gateway",
        "description": DESCRIPTION,
        "send": {"method": "POST", "path": "/messages", "content_type": "application/json"},
        "example": command,
        "openapi": "/openapi.json",
    }
