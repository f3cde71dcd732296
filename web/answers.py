"""What all answers have in common: errors as RFC 9457 problem details, and the browser's guards."""

import json

from flask import Response
from werkzeug.exceptions import HTTPException

GUARDS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; object-src 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""No script, style or frame from elsewhere, whatever a run's name may hold."""


def guard(response: Response) -> Response:
    """``response`` with the guards."""
    response.headers.update(GUARDS)
    return response


def problem(status: int, title: str, detail: str) -> Response:
    """An error as JSON."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return Response(json.dumps(body), status=status, content_type="application/problem+json")


def refuse(error: HTTPException) -> Response:
    """The answer where Flask refuses a request: no such path, method not allowed."""
    response = problem(error.code or 500, error.name, error.description or error.name)
    for name, value in error.get_headers():
        if name in ("Allow", "Location"):
            response.headers[name] = value
    return response
