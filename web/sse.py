"""Server-Sent Events, as the HTML standard frames them."""

RETRY_MS = 1_000
"""A client whose stream broke tries again after this."""

PREAMBLE = b":" + b" " * 2_048 + b"\n\n"
"""A comment, long enough that a proxy which fills a buffer first lets the event behind it through."""

HEARTBEAT = b": still here\n\n"
"""A comment that keeps a quiet line open."""

HEADERS = {
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",
}
"""What tells a proxy not to hold the stream back."""


def frame(event: str, data: bytes, *, event_id: int | None = None) -> bytes:
    """One event. Only one with an id moves the client's Last-Event-ID.

    Raises:
        ValueError: ``data`` has a line break, by which it could forge another event.
    """
    if b"\n" in data or b"\r" in data:
        raise ValueError("data must be one line")
    head = f"event: {event}\n"
    if event_id is not None:
        head += f"id: {event_id}\nretry: {RETRY_MS}\n"
    return head.encode() + b"data: " + data + b"\n\n"


def last_event_id(text: str | None) -> int | None:
    """The id in a Last-Event-ID header; None where there is none of ours."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= 20 else None
