"""What a part said last, for the line that tells why it failed."""

from pathlib import Path

from launcher.log_line import Parser

_TAIL_BYTES = 16_384


def of(logs: Path, name: str) -> str:
    """The text of the part's last log line that is no mere progress."""
    path = logs / f"{name}.log"
    try:
        with path.open("rb") as file:
            file.seek(max(path.stat().st_size - _TAIL_BYTES, 0))
            tail = file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return "it left no log"
    parser = Parser(name, 0.0)
    lines = [parser.parse(line) for line in tail.splitlines() if line.strip()]
    bad = [line for line in lines if line.level not in ("debug", "info")]
    told = bad or lines
    return told[-1].message.strip() if told else "it left no log"
