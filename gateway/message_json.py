"""Parses the body of a request into checked messages."""

import re
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType
from msgspec.structs import replace

from gateway import message_errors
from gateway.message_fields import FIELDS, Number, Run, SentAt, sent_ns_of
from gateway.problems import Problem
from pipeline.message import DEFAULT_RUN, MAX_AHEAD_NS, MAX_BATCH, ClockOffset, Message

_AHEAD = "must not be more than a day ahead of the gateway's clock"


class _Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    number: Number
    sent_at: SentAt
    run: Run | UnsetType = UNSET


_one = msgspec.json.Decoder(_Body)
_many = msgspec.json.Decoder(Annotated[list[_Body], Meta(min_length=1, max_length=MAX_BATCH)])

_CLOCK = re.compile(r"-?[0-9]{1,18}")


def parse(body: bytes, gateway_ns: int) -> list[Message]:
    """The messages in ``body``, one JSON object or an array of them.

    Raises:
        Problem: 400 if it is not JSON, 422 if a field is invalid or repeated.
    """
    many = body.lstrip(b" \t\r\n")[:1] == b"["
    try:
        bodies = _many.decode(body) if many else [_one.decode(body)]
    except msgspec.ValidationError:
        raise message_errors.explain(body) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise message_errors.not_json(body, error) from None
    if body.count(b'"') != sum(map(_quotes, bodies)):
        raise message_errors.explain(body)
    if float in [type(item.number) for item in bodies]:  # it may have lost a fraction
        message_errors.check(body)
        bodies = [replace(item, number=int(item.number)) for item in bodies]
    return [_message(item, f"/{index}" if many else "", gateway_ns) for index, item in enumerate(bodies)]


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


def _quotes(item: _Body) -> int:
    """Quotation marks in the JSON of a message: no name or value of a valid one contains any, so more of
    them mean that a name was repeated, which the decoder does not notice."""
    return 6 if item.run is UNSET else 10


def _message(item: _Body, pointer: str, gateway_ns: int) -> Message:
    sent_ns = sent_ns_of(item.sent_at)
    if sent_ns is None or sent_ns > gateway_ns + MAX_AHEAD_NS:
        rule = FIELDS["sent_at"].rule if sent_ns is None else _AHEAD
        raise message_errors.invalid_fields([message_errors.error(f"{pointer}/sent_at", rule)])
    run = DEFAULT_RUN if item.run is UNSET else item.run
    return Message(run, item.number, sent_ns, gateway_ns)  # type: ignore[arg-type] # no float is left
