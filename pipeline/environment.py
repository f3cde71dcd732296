"""Typed access to environment variables. Standard library only, like ``pipeline.settings``."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from pipeline import hosts, tokens

Number = TypeVar("Number", int, float)


_UNITS = {"": 1, "b": 1, "k": 1000, "kb": 1024, "m": 1000**2, "mb": 1024**2, "g": 1000**3, "gb": 1024**3}
_SIZE = re.compile(r"([0-9]{1,15})(b|[kmg]b?)?")


class SettingsError(ValueError):
    """A setting makes no sense; the text names it, its value and what it may be."""


class Environment:
    """Typed access to an environment."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def text(self, name: str, default: str) -> str:
        return self._environ.get(name, "").strip() or default

    def secret(self, name: str) -> str:
        """A secret, or the content of the file that ``<name>_FILE`` names (Docker's secrets)."""
        path = self.text(f"{name}_FILE", "")
        if not path:
            return self.text(name, "")
        try:
            return Path(path).read_text().strip()
        except OSError as error:
            raise SettingsError(f"{name}_FILE={path}: {error.strerror}") from error

    def file(self, name: str) -> Path | None:
        """The file that ``<name>_FILE`` names."""
        path = self.text(f"{name}_FILE", "")
        return Path(path) if path else None

    def tokens(self, name: str) -> tuple[tokens.Token, ...]:
        """Tokens, or those in the file that ``<name>_FILE`` names, which must have one."""
        file = self.file(name)
        try:
            return tokens.read(file) if file else tokens.parse(self.text(name, ""))
        except tokens.InvalidTokens as error:
            raise SettingsError(f"{name}_FILE={file}: {error}" if file else f"{name}: {error}") from None
        except OSError as error:
            raise SettingsError(f"{name}_FILE={file}: {error.strerror}") from error

    def flag(self, name: str) -> bool:
        """1 or 0."""
        return self.choice(name, "0", ("0", "1")) == "1"

    def choice(self, name: str, default: str, allowed: tuple[str, ...]) -> str:
        value = self.text(name, default)
        if value not in allowed:
            raise SettingsError(f"{name}={value}: must be one of {', '.join(allowed)}")
        return value

    def url(self, name: str, default: str, schemes: tuple[str, ...]) -> str:
        """A URL. It may hold a password, so errors do not repeat it."""
        value = self.text(name, default)
        scheme, separator, _ = value.partition("://")
        if scheme.lower() not in schemes or not separator:
            raise SettingsError(f"{name} must begin with {' or '.join(s + '://' for s in schemes)}")
        if not _has_sound_host(value):
            raise SettingsError(f"{name} must name a host, and a port only as a number from 1 to 65535")
        return value

    def hosts(self, name: str) -> tuple[str, ...]:
        """Host names and IP addresses, separated by commas; a port is ignored."""
        entries = [entry.strip() for entry in self.text(name, "").split(",")]
        return tuple(_host(name, entry) for entry in entries if entry)

    def port(self, name: str, default: int) -> int:
        return self.whole(name, default, 1, 65_535)

    def whole(self, name: str, default: int, least: int, most: int) -> int:
        return _bounded(name, self.text(name, str(default)), int, least, most)

    def size(self, name: str, default: str, least: int) -> int:
        """Bytes, written as Redis has them: 512mb, 1gb, 100kb (1024), 512m, 1g, 100k (1000), or a number."""
        text = self.text(name, default)
        found = _SIZE.fullmatch(text.lower())
        value = int(found[1]) * _UNITS[found[2] or ""] if found else 0
        if value < least:
            raise SettingsError(f"{name}={text}: must be a size such as 512mb, at least {least:,} bytes")
        return value

    def real(self, name: str, default: float, least: float, most: float) -> float:
        return _bounded(name, self.text(name, str(default)), float, least, most)


def _has_sound_host(url: str) -> bool:
    """Redis alone may go without a host: then it is this one."""
    try:
        parts = urlsplit(url)
        return parts.port != 0 and (bool(parts.hostname) or not parts.scheme.startswith("http"))
    except ValueError:
        return False


def _host(name: str, text: str) -> str:
    """``text`` as requests are compared with it; an IPv6 address may come with or without brackets."""
    host = hosts.parse(text) or hosts.parse(f"[{text}]")
    if host is None:
        raise SettingsError(f"{name}={text}: must be host names such as page.example, separated by commas")
    return host


def _bounded(name: str, text: str, kind: type[Number], least: Number, most: Number) -> Number:
    noun = "a whole number" if kind is int else "a number"
    try:
        value = kind(text)
    except ValueError:
        raise SettingsError(f"{name}={text}: must be {noun} from {least} to {most}") from None
    if not least <= value <= most:
        raise SettingsError(f"{name}={text}: must be {noun} from {least} to {most}")
    return value
