"""The fields of a message: what each may be, as a type and as a sentence."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from pipeline import message
from pipeline.clock import NS_PER_US, to_ns
from pipeline.message import MAX_NUMBER, MAX_SENT_NS, MIN_SENT_NS

RUN_PATTERN = f"^{message.RUN_PATTERN}$"
SENT_AT_PATTERN = (
    "^(19[7-9][0-9]|2[01][0-9]{2})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    "[Tt]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]{1,9})?([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"
)
"""RFC 3339, limited to these years; a day that its month does not have is rejected separately."""

NAMES = "run, number and sent_at"


def whole(pattern: str) -> str:
    """The pattern for Python, whose $ would allow a newline at the end."""
    return pattern.replace("$", r"\Z")


Run = Annotated[str, Meta(pattern=whole(RUN_PATTERN))]
Number = (
    Annotated[int, Meta(ge=0, le=MAX_NUMBER)] | Annotated[float, Meta(ge=0, le=MAX_NUMBER, multiple_of=1)]
)
"""7.0 is an integer too, as JSON Schema has it."""
SentAt = Annotated[str, Meta(pattern=whole(SENT_AT_PATTERN))]


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a message."""

    required: bool
    rule: str
    """What its value must be, human-readable."""
    type: Any

    def is_valid(self, value: Any) -> bool:
        """Whether a decoded JSON value is allowed."""
        if isinstance(value, Decimal):
            return self.type is Number and 0 <= value <= MAX_NUMBER and value == value.to_integral_value()
        try:
            msgspec.convert(value, self.type)
        except msgspec.ValidationError:
            return False
        return self.type is not SentAt or sent_ns_of(value) is not None


def exact(number: str) -> Decimal | None:
    """A number of JSON that is not written as an integer; None if its exponent is beyond all measure."""
    try:
        return Decimal(number)
    except ArithmeticError:
        return None


_MICROSECONDS = len("2026-01-01T00:00:00.000000Z")


def sent_ns_of(sent_at: str) -> int | None:
    """The time in Unix nanoseconds, of a text that matches the pattern; None if it is out of range."""
    if len(sent_at) == _MICROSECONDS and sent_at[-1] in "Zz":  # most senders' times, of one second many
        second_ns = _second_ns(sent_at[:19])
        return None if second_ns is None else second_ns + int(sent_at[20:26]) * NS_PER_US
    return _any_ns(sent_at)


@lru_cache(maxsize=64)
def _second_ns(second: str) -> int | None:
    return _any_ns(f"{second}Z")


def _any_ns(sent_at: str) -> int | None:
    try:
        sent_ns = to_ns(msgspec.convert(sent_at, datetime))
    except msgspec.ValidationError:  # a day that its month does not have
        return None
    return sent_ns if MIN_SENT_NS <= sent_ns <= MAX_SENT_NS else None


FIELDS = {
    "run": Field(
        required=False,
        rule="must be a string of 1 to 64 of A-Z a-z 0-9 . _ : -",
        type=Run,
    ),
    "number": Field(required=True, rule=f"must be a whole number from 0 to {MAX_NUMBER}", type=Number),
    "sent_at": Field(
        required=True,
        rule=(
            "must be a time as in RFC 3339, with an offset, in the years 1970 to 2199,"
            " such as 2026-01-01T12:00:00.123456Z"
        ),
        type=SentAt,
    ),
}
