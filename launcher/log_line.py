"""One line of a log of any program: services write JSON, other programs formats of their own."""

import json
import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TextIO

_REDIS = re.compile(r"\d+:[A-Z] (\d+ \w{3} \d{4} [\d:.]+) ([.*#-]) (.*)")
_REDIS_ROUTINE = re.compile(
    r"oO0OoO0OoO0Oo|Redis version=|Configuration loaded|Server initialized|Warning: no config file"
    r"|User requested shutdown|Received SIG|Redis is now ready to exit"
)
"""What Redis writes at its highest level at each start and stop."""
_SUPERVISOR = re.compile(r"(\d{4}-\d\d-\d\d [\d:]{8},\d{3}) ([A-Z]{4}) (.*)")
_SERVER = re.compile(
    r"(?:\[(\d{4}-\d\d-\d\d [\d:]{8} [+-]\d{4})\] )?(?:\[\d+\] )?\[([A-Z]+)\]\s+(?:\(\d+\) : )?(.*)"
)
_LOGFMT = re.compile(r"ts=(\S+) lvl=(\w+) (.*)")
_TRACEBACK = "Traceback (most recent call last):"
_INSIDE_TRACEBACK = re.compile(r"\s|Traceback |During handling of |The above exception |\|")
_LEVELS = {
    ".": "debug",
    "-": "debug",
    "*": "info",
    "#": "warning",
    "crit": "critical",
    "erro": "error",
    "warn": "warning",
    "debg": "debug",
    "trac": "debug",
    "blat": "debug",
}
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
"""What a terminal obeys or does not show: a sender may have put it into a log."""
_COLOURS = {"debug": "2", "warning": "33", "error": "31", "critical": "1;31"}
_SERVICE_COLOUR = "36"


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line with the moment it belongs to (Unix seconds) and everything else it contains."""

    time_s: float
    service: str
    level: str
    message: str
    fields: dict[str, Any]

    def as_json(self) -> str:
        """One JSON object; what the program itself wrote stays as it was."""
        head = {
            "time": _rfc3339(self.time_s),
            "part": self.service,
            "level": self.level,
            "message": self.message,
        }
        text = json.dumps({**head, **self.fields}, ensure_ascii=False)
        return _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)

    def as_text(self, *, colour: bool = False) -> str:
        """Readable text, in local time. Control characters, which could drive a terminal, are escaped."""
        local = datetime.fromtimestamp(self.time_s, UTC).astimezone()
        moment = f"{local:%Y-%m-%d %H:%M:%S}.{local.microsecond // 1000:03}{local:%z}"
        shown = {"time", "part", "level", "message", "logger", "exc_info"}
        rest = [f"{name}={value}" for name, value in self.fields.items() if name not in shown]
        service, level = f"{_plain(self.service):<11}", f"{_plain(self.level):<8}"
        if colour:
            service, level = _painted(service, _SERVICE_COLOUR), _painted(level, _COLOURS.get(self.level))
        line = f"{moment} {service} {level} {_plain(' '.join((self.message, *rest)))}"
        return "\n".join((line, *map(_plain, str(self.fields.get("exc_info") or "").splitlines())))


def wants_colour(out: TextIO) -> bool:
    """Whether ``out`` is a terminal with colours, and the user has not forbidden them (no-color.org)."""
    return out.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


class Parser:
    """Reads the lines of one service in order; a line without a time belongs to the one before it."""

    def __init__(self, service: str, time_s: float) -> None:
        self._service = service
        self._time_s = time_s
        self._in_traceback = False

    def parse(self, text: str) -> LogLine:
        """``text``, parsed. Never fails: a line of no known format is the message."""
        line = self._json(text) or self._foreign(text)
        self._time_s = line.time_s
        return line

    def parse_at(self, text: str, time_s: float) -> LogLine:
        """The same for a line that was written at ``time_s``, should it name no time itself."""
        self._time_s = time_s
        return self.parse(text)

    def _json(self, text: str) -> LogLine | None:
        try:
            fields = json.loads(text)
            time_s = datetime.fromisoformat(fields["time"]).timestamp() if "time" in fields else self._time_s
        except (ValueError, TypeError):
            return None
        if not isinstance(fields, dict):
            return None
        service, level = str(fields.get("part", self._service)), str(fields.get("level", "info"))
        return LogLine(time_s, service, level, str(fields.get("message", "")), fields)

    def _foreign(self, text: str) -> LogLine:
        for pattern, form in (
            (_REDIS, "%d %b %Y %H:%M:%S.%f"),
            (_SUPERVISOR, "%Y-%m-%d %H:%M:%S,%f"),
            (_SERVER, "%Y-%m-%d %H:%M:%S %z"),
            (_LOGFMT, ""),
        ):
            found = pattern.fullmatch(text)
            if found:
                level = _LEVELS.get(found[2].lower(), found[2].lower())
                if pattern is _REDIS and _REDIS_ROUTINE.search(found[3]):
                    level = "info"
                return self._line(self._moment(found[1], form), level, found[3])
        return self._line(self._time_s, self._level_of(text), text)

    def _level_of(self, text: str) -> str:
        """A traceback is an error from its first line to its last, which names the exception."""
        if text.startswith(_TRACEBACK):
            self._in_traceback = True
            return "error"
        if self._in_traceback:
            self._in_traceback = bool(_INSIDE_TRACEBACK.match(text))
            return "error"
        return "error" if text.startswith("Error: ") else "info"

    def _line(self, time_s: float, level: str, message: str) -> LogLine:
        return LogLine(time_s, self._service, level, message, {})

    def _moment(self, text: str | None, form: str) -> float:
        if text is None:
            return self._time_s
        try:
            moment = datetime.strptime(text, form) if form else datetime.fromisoformat(text)  # noqa: DTZ007
        except ValueError:
            return self._time_s
        return moment.timestamp()  # a time without an offset is local time


def _plain(text: str) -> str:
    """``text`` with what a terminal would obey written out, as Python writes it."""
    return _CONTROLS.sub(lambda found: ascii(found[0])[1:-1], text)


def _painted(text: str, colour: str | None) -> str:
    return f"\x1b[{colour}m{text}\x1b[0m" if colour else text


def _rfc3339(time_s: float) -> str:
    return datetime.fromtimestamp(time_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
