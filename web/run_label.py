"""A readable name of a run: who sent it, and when it began."""

import re
from datetime import datetime
from functools import lru_cache

_PRODUCER = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.\d{3}Z-[0-9a-f]{4}")
_LOAD = re.compile(r"load-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)\.\d{3}Z-[0-9a-f]{6}")


def label(run: str) -> str:
    """``producer · {moment}`` or ``load · {moment}`` for a run that these began; else the id itself.

    The moment is RFC 3339 in braces, as ``web.moments`` describes. It is the start that the id
    contains, not the first arrival.
    """
    sender, moment = _parsed(run)
    return f"{sender} · {{{moment}}}" if moment else run


def sender(run: str) -> str:
    """``producer``, ``load``, or ``sender`` where the id does not show it."""
    return _parsed(run)[0]


@lru_cache(maxsize=64)  # each second mostly the same runs
def _parsed(run: str) -> tuple[str, str]:
    if (found := _PRODUCER.fullmatch(run)) and _is_moment(found[1]):
        return "producer", f"{found[1]}Z"
    if found := _LOAD.fullmatch(run):
        year, month, day, hour, minute, second = found.groups()
        moment = f"{year}-{month}-{day}T{hour}:{minute}:{second}"
        if _is_moment(moment):
            return "load", f"{moment}Z"
    return "sender", ""


def _is_moment(text: str) -> bool:
    """Whether there is such a date and time: anybody may call a run what looks like one."""
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
