"""One line of a log, whoever wrote it: the parts write JSON, other programs what they like."""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

_REDIS = re.compile(r"\d+:[A-Z] (\d+ \w{3} \d{4} [\d:.]+) ([.*#-]) (.*)")
_SUPERVISOR = re.compile(r"(\d{4}-\d\d-\d\d [\d:]{8},\d{3}) ([A-Z]{4}) (.*)")
_SERVER = re.compile(
    r"(?:\[(\d{4}-\d\d-\d\d [\d:]{8} [+-]\d{4})\] )?(?:\[\d+\] )?\[([A-Z]+)\]\s+(?:\(\d+\) : )?(.*)"
)
_LOGFMT = re.compile(r"ts=(\S+) lvl=(\w+) (.*)")
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


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line with the moment it belongs to (Unix seconds) and everything else it says."""

    time_s: float
    part: str
    level: str
    message: str
    fields: dict[str, Any]

    def as_json(self) -> str:
        """One JSON object; what the program itself wrote stays as it was."""
        head = {
            "time": _rfc3339(self.time_s),
            "part": self.part,
            "level": self.level,
            "message": self.message,
        }
        text = json.dumps({**head, **self.fields}, ensure_ascii=False)
        return _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)

    def as_text(self) -> str:
        """For the eyes, in local time."""
        moment = datetime.fromtimestamp(self.time_s, UTC).astimezone().strftime("%H:%M:%S.%f")[:-3]
        shown = {"time", "part", "level", "message", "logger", "exc_info"}
        rest = [f"{name}={value}" for name, value in self.fields.items() if name not in shown]
        line = f"{moment} {self.part:<11} {self.level:<8} {' '.join((self.message, *rest))}"
        return "\n".join(map(_harmless, (line, *str(self.fields.get("exc_info") or "").splitlines())))


class Parser:
    """Reads the lines of one part in order; a line without a time belongs to the one before it."""

    def __init__(self, part: str, time_s: float) -> None:
        self._part = part
        self._time_s = time_s

    def parse(self, text: str) -> LogLine:
        """What ``text`` says. Never fails: what isn't understood is the message."""
        line = self._json(text) or self._foreign(text)
        self._time_s = line.time_s
        return line

    def _json(self, text: str) -> LogLine | None:
        try:
            fields = json.loads(text)
            time_s = datetime.fromisoformat(fields["time"]).timestamp() if "time" in fields else self._time_s
        except (ValueError, TypeError):
            return None
        if not isinstance(fields, dict):
            return None
        part, level = str(fields.get("part", self._part)), str(fields.get("level", "info"))
        return LogLine(time_s, part, level, str(fields.get("message", "")), fields)

    def _foreign(self, text: str) -> LogLine:
        for pattern, form in (
            (_REDIS, "%d %b %Y %H:%M:%S.%f"),
            (_SUPERVISOR, "%Y-%m-%d %H:%M:%S,%f"),
            (_SERVER, "%Y-%m-%d %H:%M:%S %z"),
            (_LOGFMT, ""),
        ):
            found = pattern.fullmatch(text)
            if found:
                level = found[2].lower()
                return self._line(self._moment(found[1], form), _LEVELS.get(level, level), found[3])
        return self._line(self._time_s, "error" if text.startswith("Error: ") else "info", text)

    def _line(self, time_s: float, level: str, message: str) -> LogLine:
        return LogLine(time_s, self._part, level, message, {})

    def _moment(self, text: str | None, form: str) -> float:
        if text is None:
            return self._time_s
        try:
            moment = datetime.strptime(text, form) if form else datetime.fromisoformat(text)  # noqa: DTZ007
        except ValueError:
            return self._time_s
        return moment.timestamp()  # a time without an offset is local time


def _harmless(text: str) -> str:
    """``text`` with what a terminal would obey written out, as Python writes it."""
    return _CONTROLS.sub(lambda found: ascii(found[0])[1:-1], text)


def _rfc3339(time_s: float) -> str:
    return datetime.fromtimestamp(time_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
