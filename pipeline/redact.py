"""Removes credentials from texts before they are shown."""

import re

_CREDENTIALS = re.compile(r"(?<=://)[^/\s]*@")


def without_credentials(text: str) -> str:
    """``text`` without the user names and passwords of its URLs."""
    return _CREDENTIALS.sub("", text)
