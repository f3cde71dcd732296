"""Errors as RFC 9457 problem details."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from flask import Response
from werkzeug.exceptions import HTTPException

MEDIA_TYPE = "application/problem+json"

_HTTP_DETAILS = {
    404: "there is nothing at this path: GET / lists what there is",
    405: "the header Allow names the methods of this path; messages are sent with POST /messages, see GET /",
}
"""Flask's own texts are about web pages."""


class Problem(Exception):
    """An error response.

    Args:
        status: the HTTP status.
        detail: what is wrong with this request, human-readable.
        errors: ``pointer`` (RFC 6901) and ``detail`` of each invalid field.
        headers: further headers of the response, such as Retry-After.
        members: further members of the JSON object (RFC 9457, section 3.2).
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = HTTPStatus(status)
        self.detail = detail
        self.errors = errors
        self.headers = dict(headers or {})
        self.members = dict(members or {})


def retry_later(status: int, detail: str, after_s: int = 1) -> Problem:
    """A temporary problem: the sender may retry in ``after_s`` seconds."""
    return Problem(status, detail, headers={"Retry-After": str(after_s)})


def encode(problem: Problem) -> bytes:
    """The body of the response for ``problem``."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": problem.status.phrase,
        "status": problem.status.value,
        "detail": problem.detail,
    }
    if problem.errors:
        body["errors"] = list(problem.errors)
    return msgspec.json.encode(body | problem.members)


def respond(problem: Problem) -> Response:
    """The response for ``problem``."""
    return Response(
        encode(problem), status=problem.status.value, headers=problem.headers, content_type=MEDIA_TYPE
    )


def respond_http(error: HTTPException, members: Mapping[str, str] | None = None) -> Response:
    """The response where Flask itself rejects a request: unknown path, method not allowed."""
    status = error.code or 500
    problem = Problem(status, _HTTP_DETAILS.get(status) or error.description or "", members=members)
    response = respond(problem)
    for name, value in error.get_headers():
        if name == "Allow":
            response.headers[name] = value
    return response
