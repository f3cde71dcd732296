"""Moments inside sentences.

A sentence names a moment as RFC 3339 in braces: ``No message has arrived since {2026-01-01T12:00:00Z}.`` The
page shows the time of day in the browser's time zone (``static/format.js``). Programs, and browsers without
scripts, get it in UTC (``plain``).
"""

import re

from pipeline.clock import to_rfc3339

_MOMENT = re.compile(r"\{\d{4}-\d\d-\d\dT(\d\d:\d\d:\d\d)(?:\.\d+)?Z\}")


def token(ns: int) -> str:
    """Unix ns as a moment in a sentence."""
    return f"{{{to_rfc3339(ns, timespec='milliseconds')}}}"


def plain(text: str, *, zone: str = " UTC") -> str:
    """The sentence with each moment as a time of day, UTC, followed by ``zone``."""
    return _MOMENT.sub(lambda found: f"{found[1]}{zone}", text)
