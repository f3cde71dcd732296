"""A snapshot as streams are sent it: encoded once for all, compressed once for those that are compressed."""

import json
from typing import Any, NamedTuple

import msgspec

from web.compression import block

RETRY_MS = 1_000
"""A client whose stream broke reconnects after this."""

_json = msgspec.json.Encoder()


class Form(NamedTuple):
    """What a client asked for."""

    detailed: bool = False
    """Whether it gets ``detail`` events too, as the page does."""
    compressed: bool = False


class StreamEvent:
    """A snapshot's ``stats`` event, and its ``detail`` event, which precedes that in a detailed stream.

    Args:
        event_id: the snapshot's.
        count: counts events up.
        stats: the data of both events.
        before: the event before this one.
    """

    def __init__(
        self,
        event_id: int,
        count: int,
        stats: dict[str, Any],
        detail: dict[str, Any],
        before: "StreamEvent | None" = None,
    ) -> None:
        self.id = event_id
        self.count = count
        plain = frame("stats", encode(stats), event_id=event_id)
        self.texts = {False: plain, True: frame("detail", encode(detail)) + plain}
        """What streams are sent of it that are not compressed: not detailed, and detailed."""
        self._texts_before = before.texts if before else {False: b"", True: b""}
        self._bodies: dict[tuple[Form, bool], bytes] = {}
        self._chunks: dict[tuple[Form, bool], bytes] = {}

    def body(self, form: Form, last: int = 0) -> bytes:
        """What a stream of this form is sent of it, after the event with the count ``last``."""
        key = form, form.compressed and last == self.count - 1
        found = self._bodies.get(key)
        if found is None:
            found = self._bodies[key] = self._encoded(*key)
        return found

    def chunk(self, form: Form, last: int = 0) -> bytes:
        """The same as a chunk (RFC 9112, section 7.1)."""
        key = form, form.compressed and last == self.count - 1
        found = self._chunks.get(key)
        if found is None:
            data = self.body(form, last)
            found = self._chunks[key] = b"%x\r\n%b\r\n" % (len(data), data)
        return found

    def _encoded(self, form: Form, follows: bool) -> bytes:  # noqa: FBT001 - half of a key
        text = self.texts[form.detailed]
        if not form.compressed:
            return text
        return block(text, self._texts_before[form.detailed] if follows else b"")


def frame(event: str, data: bytes, *, event_id: int | None = None) -> bytes:
    """One event as the HTML standard frames it. Only one with an id changes the client's Last-Event-ID.

    Raises:
        ValueError: ``data`` has a line break, by which it could forge another event.
    """
    if b"\n" in data or b"\r" in data:
        raise ValueError("data must be one line")
    head = f"event: {event}\n"
    if event_id is not None:
        head += f"id: {event_id}\nretry: {RETRY_MS}\n"
    return head.encode() + b"data: " + data + b"\n\n"


def encode(value: dict[str, Any]) -> bytes:
    """Compact JSON on one line."""
    try:
        return _json.encode(value)
    except UnicodeEncodeError:  # a lone surrogate in some text, which only an escape can express
        return json.dumps(value, separators=(",", ":")).encode()
