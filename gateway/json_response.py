"""JSON responses."""

from collections.abc import Mapping

import msgspec
from flask import Response

from gateway.lean_flask import WholeResponse

JSON = "application/json"


def json_response(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """The response whose body is ``value``."""
    return WholeResponse(msgspec.json.encode(value), status=status, headers=headers, content_type=JSON)
