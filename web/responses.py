"""JSON responses, and errors as RFC 9457 problem details."""

import json

from flask import Response


def as_json(body: bytes) -> Response:
    """A document that is right for this moment only."""
    return Response(body, content_type="application/json", headers={"Cache-Control": "no-store"})


def problem(status: int, title: str, detail: str, *, retry_after_s: int = 0) -> Response:
    """An error; ``retry_after_s``: when the client may ask again."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    headers = {"Retry-After": str(retry_after_s)} if retry_after_s else {}
    return Response(json.dumps(body), status, headers, content_type="application/problem+json")
