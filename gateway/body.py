"""From the body of a request to checked messages."""

import re
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from gateway.problems import Problem
from pipeline.clock import to_ns
from pipeline.message import (
    DEFAULT_RUN,
    MAX_BATCH,
    MAX_NUMBER,
    MAX_SENT_NS,
    MIN_SENT_NS,
    ClockDifference,
    Message,
)

RUN_PATTERN = "^[A-Za-z0-9._:-]{1,64}$"


class _Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    number: Annotated[int, Meta(ge=0, le=MAX_NUMBER)]
    sent_at: Annotated[datetime, Meta(tz=True)]
    # Python's $ would let a newline at the end pass.
    run: Annotated[str, Meta(pattern=RUN_PATTERN.replace("$", r"\Z"))] = DEFAULT_RUN


_one = msgspec.json.Decoder(_Body)
_many = msgspec.json.Decoder(Annotated[list[_Body], Meta(min_length=1, max_length=MAX_BATCH)])
_any = msgspec.json.Decoder()

CLOCK_PATTERN = r"^offset_ns=(-?[0-9]{1,18}), error_ns=([0-9]{1,18})$"
_CLOCK = re.compile(r"offset_ns=(?P<offset_ns>-?[0-9]{1,18}), error_ns=(?P<error_ns>[0-9]{1,18})")

# msgspec puts the path behind the text and names the field inside of it, both in backquotes.
_WHERE = re.compile(r"(?P<what>.*?)(?: - at `\$(?P<path>.*)`)?", re.DOTALL)
_FIELD = re.compile(r"(?:missing required|unknown) field `(?P<name>.*)`", re.DOTALL)
_STEP = re.compile(r"\[(?P<index>\d+)\]|\.(?P<key>[^.\[]+)")


def parse(body: bytes, gateway_ns: int) -> list[Message]:
    """The messages in ``body``, one JSON object or an array of them.

    Raises:
        Problem: 400 where it is not JSON, 422 where a field is wrong.
    """
    try:
        if body.lstrip(b" \t\r\n")[:1] == b"[":
            bodies = _many.decode(body)
        else:
            bodies = [_one.decode(body)]
    except msgspec.ValidationError as error:
        _insist_on_json(body)
        raise _invalid(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(400, f"the body is not JSON: {error}") from None
    return [_message(item, index, len(bodies), gateway_ns) for index, item in enumerate(bodies)]


def parse_clock(header: str, run: str) -> ClockDifference | None:
    """What a Clock-Offset header says, e.g. ``offset_ns=-1200, error_ns=350000``; None without one.

    Raises:
        Problem: 422 where it says something else.
    """
    if not header:
        return None
    match = _CLOCK.fullmatch(header)
    if not match:
        raise Problem(422, "Clock-Offset: must look like offset_ns=-1200, error_ns=350000")
    return ClockDifference(run, int(match["offset_ns"]), int(match["error_ns"]))


def _message(item: _Body, index: int, count: int, gateway_ns: int) -> Message:
    sent_ns = to_ns(item.sent_at)
    if not MIN_SENT_NS <= sent_ns <= MAX_SENT_NS:
        where = "/sent_at" if count == 1 else f"/{index}/sent_at"
        raise _wrong(where, "must lie in the years 1970 to 2199")
    return Message(item.run, item.number, sent_ns, gateway_ns)


def _insist_on_json(body: bytes) -> None:
    """A wrong field is found before a broken end of the body is; then the latter is the answer."""
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
    return _wrong("".join(f"/{_escape(step)}" for step in steps), what)


def _wrong(pointer: str, detail: str) -> Problem:
    return Problem(422, f"{pointer or 'body'}: {detail}", errors=[{"pointer": pointer, "detail": detail}])


def _escape(step: str) -> str:
    """A reference token of RFC 6901."""
    return step.replace("~", "~0").replace("/", "~1")
