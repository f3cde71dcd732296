"""JSON responses."""

from collections.abc import Mapping

import msgspec
from flask import Response


def json_response(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """The response whose body is ``value``."""
    return Response(
        msgspec.json.encode(value), status=status, headers=headers, content_type="application/json"
    )
