"""How a setting is declared: name, type, default, who receives it, what it means. Standard library only."""

import ipaddress
import re
import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from pipeline import hosts, tokens
from pipeline.queue import sentinel_url

Number = TypeVar("Number", int, float)


class SettingsError(ValueError):
    """A setting is invalid; the text names it, its value, where it was set and what it may be."""


Lookup = Callable[[str], str]
"""The text of another setting, by its name: a default may follow from it."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """Everything that is known of one setting."""

    name: str
    parse: Callable[[str], Any]
    """The value of a text. Raises ValueError, whose text says what the value must be."""
    default: str | Callable[[Lookup], str]
    services: frozenset[str]
    """The services that receive it."""
    secret: bool
    """Never shown or logged, and for its services alone. A file may hold it: ``<name>_FILE``."""
    text: str
    """What it means, for ``.env.example``."""
    example: str
    """What stands for the default in ``.env.example``, where the default is not fixed."""
    section: str
    """The heading of ``.env.example`` that it begins."""

    @property
    def names(self) -> tuple[str, ...]:
        """The variables that set it."""
        return (self.name, f"{self.name}_FILE") if self.secret else (self.name,)


def setting(  # noqa: PLR0913 - everything that is known of one setting
    name: str,
    parse: Callable[[str], Any],
    default: str | Callable[[Lookup], str],
    services: Iterable[str],
    text: str,
    *,
    secret: bool = False,
    example: str = "",
    section: str = "",
) -> Any:
    """A field of a dataclass of settings, with its declaration."""
    declared = Declaration(name, parse, default, frozenset(services), secret, text, example, section)
    return field(repr=not secret, metadata={"declaration": declared})


class Reader:
    """Reads declared settings from ``environ``; ``origins`` says where each one was set."""

    def __init__(self, environ: Mapping[str, str], origins: Mapping[str, str]) -> None:
        self._environ = environ
        self._origins = origins
        self._declared: dict[str, Declaration] = {}

    def values(self, declared: Iterable[Declaration]) -> list[Any]:
        """The value of each one; an empty text counts as absent. Raises SettingsError."""
        self._declared = {one.name: one for one in declared}
        return [self._value(one) for one in self._declared.values()]

    def _value(self, one: Declaration) -> Any:
        text = self._text(one.name)
        try:
            return one.parse(text)
        except ValueError as error:
            raise SettingsError(f"{self._shown(one, text)} {error}") from None

    def _text(self, name: str) -> str:
        one = self._declared[name]
        path = self._given(f"{name}_FILE") if one.secret else ""
        text = self._read(one, path) if path else self._given(name)
        if text:
            return text
        return one.default if isinstance(one.default, str) else one.default(self._text)

    def _given(self, name: str) -> str:
        return self._environ.get(name, "").strip()

    def _read(self, one: Declaration, path: str) -> str:
        try:
            content = Path(path).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise SettingsError(f"{one.name}_FILE={path}: {error.strerror}") from error
        except UnicodeDecodeError:
            raise SettingsError(f"{one.name}_FILE={path}: it is not text") from None
        if not content:
            raise SettingsError(f"{one.name}_FILE={path}: it is empty")
        return content

    def _shown(self, one: Declaration, text: str) -> str:
        """What was set, and where; the value of a secret, or of a URL with its password, is not repeated."""
        if one.secret and (path := self._given(f"{one.name}_FILE")):
            return f"{one.name}_FILE={path}:"
        origin = self._origins.get(one.name)
        value = "" if one.secret or one.name.endswith("_URL") else f"={text}"
        return f"{one.name}{value}{f' (set in {origin})' if origin else ''}:"


def text(value: str) -> str:
    """Any text."""
    return value


def choice(*allowed: str) -> Callable[[str], str]:
    """One of ``allowed``."""

    def parse(value: str) -> str:
        if value not in allowed:
            raise ValueError(f"must be one of {', '.join(allowed)}")
        return value

    return parse


def whole(least: int, most: int) -> Callable[[str], int]:
    """A whole number."""
    return lambda value: _bounded(value, int, least, most)


def real(least: float, most: float) -> Callable[[str], float]:
    """A number."""
    return lambda value: _bounded(value, float, least, most)


port = whole(1, 65_535)

_UNITS = {"": 1, "b": 1, "k": 1000, "kb": 1024, "m": 1000**2, "mb": 1024**2, "g": 1000**3, "gb": 1024**3}
_SIZE = re.compile(r"([0-9]{1,15})(b|[kmg]b?)?")


def size(least: int) -> Callable[[str], int]:
    """Bytes, in the notation of Redis: 512mb, 1gb, 100kb (1024), 512m, 1g, 100k (1000), or a number."""

    def parse(value: str) -> int:
        found = _SIZE.fullmatch(value.lower())
        bytes_ = int(found[1]) * _UNITS[found[2] or ""] if found else 0
        if bytes_ < least:
            raise ValueError(f"must be a size such as 512mb, at least {least:,} bytes")
        return bytes_

    return parse


def address(value: str) -> str:
    """An IP address to listen on."""
    try:
        ipaddress.ip_address(value.strip("[]"))
    except ValueError:
        raise ValueError("must be an IP address such as 127.0.0.1, 0.0.0.0 or ::1") from None
    return value.strip("[]")


def url(*schemes: str) -> Callable[[str], str]:
    """A URL of one of ``schemes``."""

    def parse(value: str) -> str:
        scheme, separator, _ = value.partition("://")
        if scheme.lower() not in schemes or not separator:
            raise ValueError(f"must begin with {' or '.join(s + '://' for s in schemes)}")
        if not _has_valid_host(value):
            raise ValueError("must name a host, and a port only as a number from 1 to 65535")
        return value

    return parse


def redis_url(value: str) -> str:
    """A URL of one Redis server, or of the Sentinels that watch several."""
    if sentinel_url.is_sentinel(value):
        sentinel_url.parse(value)
        return value
    return url("redis", "rediss", "unix", sentinel_url.SCHEME, sentinel_url.TLS_SCHEME)(value)


def path(value: str) -> Path | None:
    """A path, or None where nothing is set."""
    return Path(value) if value else None


def command(value: str) -> tuple[str, ...]:
    """The words of a command line, as a shell splits it."""
    try:
        return tuple(shlex.split(value))
    except ValueError as error:
        raise ValueError(f"must be a command: {error}") from None


def token_list(value: str) -> tuple[tokens.Token, ...]:
    """Tokens, each on a line of its own where there are several."""
    return tokens.parse(value)


def host_names(value: str) -> tuple[str, ...]:
    """Host names and IP addresses, separated by commas, in the form that requests are compared in."""
    return tuple(_host(entry.strip()) for entry in value.split(",") if entry.strip())


def flag(value: str) -> bool:
    """``1`` for yes."""
    if value not in ("", "0", "1"):
        raise ValueError("must be 1, or empty")
    return value == "1"


def _host(entry: str) -> str:
    """A port is ignored; an IPv6 address may come with or without brackets."""
    host = hosts.parse(entry) or hosts.parse(f"[{entry}]")
    if host is None:
        raise ValueError("must be host names such as page.example, separated by commas")
    return host


def _has_valid_host(value: str) -> bool:
    """Only a Redis URL may omit the host, which then means localhost."""
    try:
        parts = urlsplit(value)
        return parts.port != 0 and (bool(parts.hostname) or not parts.scheme.startswith("http"))
    except ValueError:
        return False


def _bounded(value: str, kind: type[Number], least: Number, most: Number) -> Number:
    noun = "a whole number" if kind is int else "a number"
    try:
        number = kind(value)
    except ValueError:
        raise ValueError(f"must be {noun} from {least} to {most}") from None
    if not least <= number <= most:
        raise ValueError(f"must be {noun} from {least} to {most}")
    return number
