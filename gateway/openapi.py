"""The description of the HTTP API, OpenAPI 3.1."""

from typing import Any

from gateway.message_fields import RUN_PATTERN, SENT_AT_PATTERN
from pipeline.message import DEFAULT_RUN, MAX_BATCH, MAX_NUMBER

_PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}

_RETRY_AFTER = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}

ERROR_RESPONSES: dict[str, dict[str, Any]] = {
    "400": {"description": "The body is not JSON."},
    "401": {"description": "The token is missing or invalid."},
    "403": {"description": "The request was sent by another site's page."},
    "405": {"description": "Messages are sent with POST only."},
    "408": {"description": "The head or the body did not arrive in time."},
    "409": {"description": "A run belongs to another sender."},
    "413": {"description": "The body is over 1 MiB."},
    "415": {"description": "The body is not application/json."},
    "421": {"description": "Unknown host."},
    "422": {"description": "A field is invalid."},
    "429": {
        "description": "The queue or Redis's memory is full, the consumer has too many calls, or the sender"
        " starts too many runs or sent too many invalid tokens.",
        "headers": _RETRY_AFTER,
    },
    "431": {"description": "The head is over 64 KiB or has more than 100 fields."},
    "501": {"description": "The body has a transfer coding other than chunked."},
    "503": {"description": "The consumer is unavailable or overloaded.", "headers": _RETRY_AFTER},
    "504": {"description": "No response in time; the messages may have been accepted. Retry."},
}

_MESSAGE = {
    "type": "object",
    "required": ["number", "sent_at"],
    "additionalProperties": False,
    "properties": {
        "run": {
            "type": "string",
            "pattern": RUN_PATTERN,
            "default": DEFAULT_RUN,
            "description": "The run that the number belongs to.",
        },
        "number": {"type": "integer", "minimum": 0, "maximum": MAX_NUMBER},
        "sent_at": {
            "type": "string",
            "format": "date-time",
            "pattern": SENT_AT_PATTERN,
            "description": "The sender's clock when the request was first sent: RFC 3339 with an offset, in"
            " the years 1970 to 2199 and at most a day ahead of the gateway's clock.",
        },
    },
}

_CLOCK = (
    "A sender that knows the offset of its clock may send it in two headers, in whole nanoseconds:"
    " Clock-Offset-Ns, the consumer's clock minus its own, and Clock-Error-Ns, the maximum error of that."
    " They are shown on the page and never used to correct a time."
)

_RUN_KEY = {
    "name": "Run-Key",
    "in": "header",
    "required": False,
    "description": (
        "A random key that the sender chooses. The first request of a run that has one makes the sender"
        " its owner, and later requests for that run need the same key. With a named token, the token owns"
        " the run."
    ),
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]{16,128}$"},
}

_ACCEPTED = {
    "type": "object",
    "required": ["accepted", "duplicates", "arrived_at"],
    "additionalProperties": False,
    "properties": {
        "accepted": {
            "type": "integer",
            "minimum": 1,
            "description": "Messages that are now persisted, repeated ones included.",
        },
        "duplicates": {
            "type": "integer",
            "minimum": 0,
            "description": "How many of them had been accepted before.",
        },
        "arrived_at": {
            "type": "string",
            "format": "date-time",
            "description": "The first arrival of the request's first message.",
        },
    },
}

_HOME: dict[str, Any] = {
    "description": "What this is, a command that sends a message, and in the page a form.",
    "content": {
        "text/html": {"schema": {"type": "string"}},
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["title", "description", "send", "example", "openapi"],
                "properties": {
                    "title": {"type": "string"},
                    "description": {"type": "string"},
                    "send": {"type": "object"},
                    "example": {"type": "string", "description": "A command for a shell."},
                    "openapi": {"type": "string", "format": "uri-reference"},
                },
            }
        },
    },
}

_PROBLEM_SCHEMA = {
    "type": "object",
    "description": "RFC 9457 problem details.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "detail"],
                "properties": {
                    "pointer": {"type": "string", "description": "RFC 6901"},
                    "detail": {"type": "string"},
                },
            },
        },
        "example": {"type": "string", "description": "A command that sends a message, where GET was tried."},
    },
}


def document(*, secured: bool) -> dict[str, Any]:
    """The whole description; ``secured`` if requests need a token."""
    schemas = {"Message": _MESSAGE, "Accepted": _ACCEPTED, "Problem": _PROBLEM_SCHEMA}
    components: dict[str, Any] = {"schemas": schemas}
    if secured:
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Message gateway", "version": "1", "description": "Accepts messages."},
        "paths": {
            "/": {"get": _get("What this is: a page with a form, or JSON", _HOME)},
            "/messages": {"post": _post(secured=secured)},
            "/healthz": {"get": _get("Liveness of the process", _json_answer("Alive."))},
            "/readyz": {
                "get": _get(
                    "Readiness: whether messages are accepted now",
                    _json_answer("Ready."),
                    {"503": {"description": "Not ready.", "content": _PROBLEM}},
                )
            },
            "/metrics": {
                "get": _get("Prometheus metrics", {"description": "Text.", "content": {"text/plain": {}}})
            },
            "/openapi.json": {"get": _get("This description", _json_answer("OpenAPI 3.1."))},
        },
        "components": components,
    }


def _post(*, secured: bool) -> dict[str, Any]:
    message = {"$ref": "#/components/schemas/Message"}
    many = {"type": "array", "minItems": 1, "maxItems": MAX_BATCH, "items": message}
    accepted = {"application/json": {"schema": {"$ref": "#/components/schemas/Accepted"}}}
    responses = {"202": {"description": "All of them are persisted.", "content": accepted}}
    responses |= {status: {**answer, "content": _PROBLEM} for status, answer in ERROR_RESPONSES.items()}
    operation: dict[str, Any] = {
        "operationId": "sendMessages",
        "summary": "Send one message, or up to 1,000; all or none are accepted",
        "description": _CLOCK,
        "parameters": [_RUN_KEY],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"oneOf": [message, many]}}},
        },
        "responses": responses,
    }
    if secured:
        operation["security"] = [{"token": []}]
    return operation


def _get(summary: str, answer: dict[str, Any], more: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"summary": summary, "responses": {"200": answer, **(more or {})}}


def _json_answer(description: str) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": {"type": "object"}}}}
