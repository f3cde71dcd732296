"""Says what is wrong with a body that is not a message or an array of messages, in the terms of JSON.

Only rejected bodies come here. The decoder of ``gateway.message_json`` decides what is rejected, but its
texts name Python's types, end at the first error, and know nothing of repeated keys.
"""

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import msgspec

from gateway import message_fields as fields
from gateway.problems import Problem
from pipeline.message import MAX_BATCH

MAX_ERRORS = 10
"""Invalid fields that a response lists."""

MAX_QUOTED = 64
"""Characters of a field's name that a response repeats."""

Error = dict[str, str]

_any = msgspec.json.Decoder()
_exact = msgspec.json.Decoder(float_hook=fields.exact)
_OBJECT = "must be a JSON object"
_REPEATED = "must not be there twice in one object"


class _Pairs(list[tuple[str, Any]]):
    """The members of an object as they were sent, repeated ones included."""


def invalid_fields(errors: Sequence[Error]) -> Problem:
    """The response that lists them; its detail repeats the first."""
    first = errors[0]
    return Problem(422, f"{first['pointer'] or 'the body'}: {first['detail']}", errors=errors)


def error(pointer: str, detail: str) -> Error:
    """One invalid field."""
    return {"pointer": pointer, "detail": detail}


def explain(body: bytes) -> Problem:
    """The response to ``body``: 400 if it is not JSON, else 422 with each invalid field."""
    try:
        errors = _first(_errors(_decode(body))) or _first(_repeated(body))
    except (ValueError, RecursionError) as reason:
        return not_json(body, reason)
    return invalid_fields(errors or [error("", "must be a message, or an array of messages")])


def check(body: bytes) -> None:
    """Raises Problem, 422, if a number of a valid body has a fraction that is too small for a float."""
    if errors := _first(_errors(_exact.decode(body))):
        raise invalid_fields(errors)


def not_json(body: bytes, reason: Exception) -> Problem:
    """The response to a body that no JSON parser accepts."""
    if not body.strip():
        return Problem(400, "the body is empty: a message, or an array of messages, is required")
    return Problem(400, f"the body is not JSON: {_syntax(reason)}")


def _syntax(reason: Exception) -> str:
    if isinstance(reason, RecursionError):
        return "too many levels of arrays and objects"
    if isinstance(reason, UnicodeDecodeError):
        return "not UTF-8"
    if isinstance(reason, json.JSONDecodeError):
        return f"{reason.msg[:1].lower()}{reason.msg[1:]} (character {reason.pos})"
    text = str(reason).removeprefix("JSON is malformed: ")
    return "it ends too early" if text == "Input data was truncated" else text


def _decode(body: bytes) -> Any:
    try:
        return _any.decode(body)
    except msgspec.ValidationError:  # a number that is too large for it; still it is JSON
        return json.loads(body, parse_int=float)


def _errors(value: Any) -> Iterator[Error]:
    if isinstance(value, dict):
        yield from _message_errors(value, "")
    elif not isinstance(value, list):
        yield error("", f"{_OBJECT}, or an array of 1 to {MAX_BATCH:,} of them")
    elif not 1 <= len(value) <= MAX_BATCH:
        yield error("", f"must be an array of 1 to {MAX_BATCH:,} messages, not of {len(value):,}")
    else:
        for index, item in enumerate(value):
            if isinstance(item, dict):
                yield from _message_errors(item, f"/{index}")
            else:
                yield error(f"/{index}", _OBJECT)


def _message_errors(message: dict[str, Any], pointer: str) -> Iterator[Error]:
    for name, field in fields.FIELDS.items():
        if name in message:
            if not field.is_valid(message[name]):
                yield error(f"{pointer}/{name}", field.rule)
        elif field.required:
            yield error(f"{pointer}/{name}", "is missing")
    for name in message.keys() - fields.FIELDS.keys():
        yield error(f"{pointer}/{_quoted(name)}", f"is not a field of a message: {fields.NAMES} are")


def _repeated(body: bytes) -> Iterator[Error]:
    """Names that an object has more than once; parsers silently keep the last one."""
    value = json.loads(body, parse_int=float, object_pairs_hook=_Pairs)
    items = [("", value)] if isinstance(value, _Pairs) else [(f"/{n}", one) for n, one in enumerate(value)]
    for pointer, pairs in items:
        names = [name for name, _ in pairs]
        for name in dict.fromkeys(names):
            if names.count(name) > 1:
                yield error(f"{pointer}/{_quoted(name)}", _REPEATED)


def _first(errors: Iterator[Error]) -> list[Error]:
    return list(islice(errors, MAX_ERRORS))


def _quoted(name: str) -> str:
    """A reference token of RFC 6901, shortened."""
    token = name.encode("utf-8", "replace").decode()  # it may have lone surrogates, which no response can
    token = token.replace("~", "~0").replace("/", "~1")
    return token if len(token) <= MAX_QUOTED else f"{token[:MAX_QUOTED]}…"
