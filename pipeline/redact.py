"""Removes credentials from texts before they are shown."""

import re

_CREDENTIALS = re.compile(r"(?<=://)[^/\s]*@|\?sentinel_[^\s'\"]*")


def without_credentials(text: str) -> str:
    """``text`` without the user names and passwords of its URLs, those of Sentinel included."""
    return _CREDENTIALS.sub("", text)
