import io
import json
import unicodedata
from datetime import UTC, datetime

import pytest

from launcher.log_line import Parser, wants_colour

NOW_S = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp()
LOCAL = datetime(2026, 1, 2, 3, 4, 5, 678_000)  # noqa: DTZ001 - other programs write local time


def test_a_services_own_line_keeps_all_of_its_content() -> None:
    said = {"time": "2026-01-02T03:04:05.678Z", "level": "info", "part": "web", "message": "hé", "run": "r"}
    line = Parser("other", 0).parse(json.dumps(said))
    assert json.loads(line.as_json()) == said
    assert list(json.loads(line.as_json()))[:4] == ["time", "part", "level", "message"]


@pytest.mark.parametrize(
    ("text", "level", "message"),
    [
        (f"12:M {LOCAL:%d %b %Y %H:%M:%S.678} * Ready", "info", "Ready"),
        (f"12:C {LOCAL:%d %b %Y %H:%M:%S.678} # WARNING x", "warning", "WARNING x"),
        (f"{LOCAL:%Y-%m-%d %H:%M:%S,678} CRIT Server", "critical", "Server"),
        (f"{LOCAL:%Y-%m-%d %H:%M:%S,678} INFO spawned", "info", "spawned"),
    ],
)
def test_lines_of_other_programs_are_wrapped_with_their_time_and_level(
    text: str, level: str, message: str
) -> None:
    line = Parser("redis", 0).parse(text)
    assert (line.service, line.level, line.message) == ("redis", level, message)
    assert line.time_s == LOCAL.timestamp()


def test_servers_that_write_their_level_in_brackets_are_understood() -> None:
    line = Parser("web", 0).parse("[2026-01-02 03:04:05 +0000] [7] [ERROR] no")
    assert (line.time_s, line.level, line.message) == (NOW_S, "error", "no")
    line = Parser("proxy", 0).parse("[WARNING]  (8) : Server web/web2 is DOWN")
    assert (line.level, line.message) == ("warning", "Server web/web2 is DOWN")


def test_influxdb_is_understood() -> None:
    line = Parser("influxdb", 0).parse('ts=2026-01-02T03:04:05Z lvl=warn msg="slow" n=1')
    assert (line.time_s, line.level, line.message) == (NOW_S, "warning", 'msg="slow" n=1')


@pytest.mark.parametrize(
    "text", ["Traceback (most recent call last):", "{not json", "[1]", '"a"', "7", "null"]
)
def test_a_line_without_a_time_belongs_to_the_one_before(text: str) -> None:
    parser = Parser("web", 0)
    parser.parse('{"time": "2026-01-02T03:04:05Z", "message": "x"}')
    line = parser.parse(text)
    assert (line.time_s, line.message) == (NOW_S, text)
    assert json.loads(line.as_json())["time"] == "2026-01-02T03:04:05.000Z"


def test_readable_text_has_the_fields_and_the_traceback_last() -> None:
    said = {"time": "2026-01-02T03:04:05Z", "part": "web", "message": "oh", "run": "r", "exc_info": "T\n  at"}
    lines = Parser("web", 0).parse(json.dumps(said)).as_text().splitlines()
    assert lines[0].endswith("web         info     oh run=r")
    assert lines[1:] == ["T", "  at"]


@pytest.mark.parametrize(
    "message",
    ["oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo", "Redis version=6.2.14, bits=64", "Server initialized"],
)
def test_a_normal_start_of_redis_is_no_warning(message: str) -> None:
    line = Parser("redis", 0).parse(f"12:C {LOCAL:%d %b %Y %H:%M:%S.678} # {message}")
    assert (line.level, line.message) == ("info", message)


def test_a_traceback_is_an_error_from_its_first_line_to_its_last() -> None:
    parser = Parser("web", 0)
    text = """\
before
Traceback (most recent call last):
  File "a.py", line 1, in f
    g()
ValueError: x
after"""
    levels = [parser.parse(line).level for line in text.splitlines()]
    assert levels == ["info", "error", "error", "error", "error", "info"]


def test_readable_text_has_date_zone_and_on_a_terminal_colour() -> None:
    line = Parser("web", NOW_S).parse('{"level": "error", "message": "no"}')
    local = datetime.fromtimestamp(NOW_S, UTC).astimezone()
    assert line.as_text().startswith(f"{local:%Y-%m-%d %H:%M:%S}.000{local:%z} web")
    assert "\x1b" not in line.as_text()
    assert "\x1b[31merror   \x1b[0m" in line.as_text(colour=True)


def test_readable_text_has_no_character_that_a_terminal_would_obey() -> None:
    bad = "\x1b]0;title\x07 \x9b2J \u202e \r \x7f ü"
    said = {"message": f"a{bad}", "run": bad, "exc_info": "T\n  \x1b[2J", "part": bad, "level": bad}
    text = Parser("web", 0).parse(json.dumps(said)).as_text()
    assert not [one for one in text if one != "\n" and unicodedata.category(one) in ("Cc", "Cf")]
    assert r"\x1b]0;title\x07 \x9b2J \u202e \r \x7f ü" in text
    assert text.count("\n") == 2


def test_a_json_line_has_none_either_and_says_the_same() -> None:
    bad = "\x1b[2J \x9b2J \u202e \x7f ü"
    line = Parser("web", 0).parse(json.dumps({"message": bad})).as_json()
    assert not [one for one in line if unicodedata.category(one) in ("Cc", "Cf")]
    assert json.loads(line)["message"] == bad


@pytest.mark.parametrize(
    ("terminal", "environ", "wanted"),
    [
        (True, {}, True),
        (False, {}, False),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"TERM": "dumb"}, False),
    ],
)
def test_colour_is_for_terminals_whose_user_wants_it(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, environ: dict[str, str], wanted: bool
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    out = io.StringIO()
    monkeypatch.setattr(out, "isatty", lambda: terminal)
    assert wants_colour(out) is wanted
