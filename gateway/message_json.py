"""Parses the body of a request into checked messages."""

import re
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from gateway.problems import Problem
from pipeline.clock import NS_PER_S, to_ns
from pipeline.message import (
    DEFAULT_RUN,
    MAX_BATCH,
    MAX_NUMBER,
    MAX_SENT_NS,
    MIN_SENT_NS,
    ClockOffset,
    Message,
)

RUN_PATTERN = "^[A-Za-z0-9._:-]{1,64}$"
SENT_AT_PATTERN = (
    "^(19[7-9][0-9]|2[01][0-9]{2})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    "[Tt]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]{1,9})?([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"
)
"""RFC 3339, limited to these years; a day that its month does not have is rejected separately."""


MAX_AHEAD_NS = 24 * 3_600 * NS_PER_S
"""A time further ahead of this clock is not a clock error."""

MAX_QUOTED = 64
"""Characters of a field's name that a response repeats."""

_SENT_AT = "must be RFC 3339 with an offset, in the years 1970 to 2199"


def _whole(pattern: str) -> str:
    """The pattern for Python, whose $ would allow a newline at the end."""
    return pattern.replace("$", r"\Z")


class _Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    # 7.0 is an integer too, as JSON Schema has it.
    number: (
        Annotated[int, Meta(ge=0, le=MAX_NUMBER)] | Annotated[float, Meta(ge=0, le=MAX_NUMBER, multiple_of=1)]
    )
    sent_at: Annotated[str, Meta(pattern=_whole(SENT_AT_PATTERN))]
    run: Annotated[str, Meta(pattern=_whole(RUN_PATTERN))] = DEFAULT_RUN


_one = msgspec.json.Decoder(_Body)
_many = msgspec.json.Decoder(Annotated[list[_Body], Meta(min_length=1, max_length=MAX_BATCH)])
_any = msgspec.json.Decoder()

_CLOCK = re.compile(r"-?[0-9]{1,18}")

# msgspec puts the path behind the text and names the field inside of it, both in backquotes.
_WHERE = re.compile(r"(?P<what>.*?)(?: - at `\$(?P<path>.*)`)?", re.DOTALL)
_FIELD = re.compile(r"(?:missing required|unknown) field `(?P<name>.*)`", re.DOTALL)
_STEP = re.compile(r"\[(?P<index>\d+)\]|\.(?P<key>[^.\[]+)")


def parse(body: bytes, gateway_ns: int) -> list[Message]:
    """The messages in ``body``, one JSON object or an array of them.

    Raises:
        Problem: 400 if it is not JSON, 422 if a field is invalid.
    """
    try:
        if body.lstrip(b" \t\r\n")[:1] == b"[":
            bodies = _many.decode(body)
        else:
            bodies = [_one.decode(body)]
    except msgspec.ValidationError as error:
        _require_json(body)
        raise _invalid(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(400, f"the body is not JSON: {error}") from None
    return [_message(item, index, len(bodies), gateway_ns) for index, item in enumerate(bodies)]


def parse_clock(offset_ns: str | None, error_ns: str | None, run: str) -> ClockOffset | None:
    """The clock offset in the two headers; None without them.

    Raises:
        Problem: 422 if they are not integers of up to 18 digits.
    """
    for name, text in (("Clock-Offset-Ns", offset_ns), ("Clock-Error-Ns", error_ns)):
        if text is not None and not _CLOCK.fullmatch(text):
            raise Problem(422, f"{name}: must be a whole number of up to 18 digits")
    if offset_ns is None or error_ns is None:
        return None
    return ClockOffset(run, int(offset_ns), abs(int(error_ns)))


def _message(item: _Body, index: int, count: int, gateway_ns: int) -> Message:
    try:
        sent_ns = to_ns(msgspec.convert(item.sent_at, datetime))
    except msgspec.ValidationError:
        sent_ns = -1
    if not MIN_SENT_NS <= sent_ns <= MAX_SENT_NS:
        raise _wrong(_pointer("sent_at", index, count), _SENT_AT)
    if sent_ns > gateway_ns + MAX_AHEAD_NS:
        raise _wrong(
            _pointer("sent_at", index, count), "must not be more than a day ahead of the gateway's clock"
        )
    return Message(item.run, int(item.number), sent_ns, gateway_ns)


def _pointer(field: str, index: int, count: int) -> str:
    return f"/{field}" if count == 1 else f"/{index}/{field}"


def _require_json(body: bytes) -> None:
    """msgspec reports an invalid field before a syntax error further on; the syntax error has priority."""
    try:
        _any.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(400, f"the body is not JSON: {error}") from None


def _invalid(text: str) -> Problem:
    """The problem for a text of msgspec's, e.g. "Expected `int` >= 0 - at `$[1].number`"."""
    match = _WHERE.fullmatch(text)
    what, path = (match["what"], match["path"] or "") if match else (text, "")
    steps = [step["index"] or step["key"] for step in _STEP.finditer(path)]
    field = _FIELD.search(what)
    if field:
        steps.append(field["name"])
        what = what[: field.start("name")] + _cut(field["name"]) + what[field.end("name") :]
    pointer = "".join(f"/{_cut(_escape(step))}" for step in steps)
    no_time = steps[-1:] == ["sent_at"] and "matching regex" in what
    return _wrong(pointer, _SENT_AT if no_time else what)


def _cut(text: str) -> str:
    """The client's own text, shortened for a response."""
    return text if len(text) <= MAX_QUOTED else f"{text[:MAX_QUOTED]}…"


def _wrong(pointer: str, detail: str) -> Problem:
    return Problem(422, f"{pointer or 'body'}: {detail}", errors=[{"pointer": pointer, "detail": detail}])


def _escape(step: str) -> str:
    """A reference token of RFC 6901."""
    return step.replace("~", "~0").replace("/", "~1")
