"""Removes from texts what must not be shown outside."""

import re

_CREDENTIALS = re.compile(r"(?<=://)[^/\s]*@")


def without_credentials(text: str) -> str:
    """``text`` with each URL in it, but without user names and passwords."""
    return _CREDENTIALS.sub("", text)
