"""Moments inside sentences.

A sentence names a moment as RFC 3339 in braces: ``No message has arrived since {2026-01-01T12:00:00Z}.`` The
page shows the time of day in the browser's time zone (``static/browser_texts.js``). Programs, and browsers
without scripts, get it in UTC (``plain``).
"""

import re
from functools import lru_cache

from pipeline.clock import to_rfc3339

_MOMENT = re.compile(r"\{\d{4}-\d\d-\d\dT(\d\d:\d\d:\d\d)(?:\.\d+)?Z\}")


@lru_cache(maxsize=64)  # most of them are those of a second ago
def rfc3339(ns: int | None) -> str | None:
    """Unix ns as RFC 3339; None where it is not known."""
    return None if ns is None else to_rfc3339(ns)


def token(ns: int) -> str:
    """Unix ns as a moment in a sentence."""
    return f"{{{to_rfc3339(ns, timespec='milliseconds')}}}"


def plain(text: str, *, zone: str = " UTC") -> str:
    """The sentence with each moment as a time of day, UTC, followed by ``zone``."""
    return _MOMENT.sub(lambda found: f"{found[1]}{zone}", text)
