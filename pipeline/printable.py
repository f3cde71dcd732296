"""Untrusted text on a terminal."""


def printable(text: str) -> str:
    """``text`` with everything escaped that a terminal would not show as it is."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)
