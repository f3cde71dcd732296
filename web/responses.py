"""JSON responses, and errors as RFC 9457 problem details."""

import json

from flask import Response


def as_json(body: bytes) -> Response:
    """A document that is right for this moment only."""
    return Response(body, content_type="application/json", headers={"Cache-Control": "no-store"})


def problem(status: int, title: str, detail: str) -> Response:
    """An error."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return Response(json.dumps(body), status=status, content_type="application/problem+json")
