"""``docs/message.md`` names the files that a message passes: all of them exist, and there are few."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_STEP = re.compile(r"^(\d+)\. (.*)$", re.MULTILINE)
_FILE = re.compile(r"`([a-z_]+(?:/[a-z_]+)+\.(?:py|js))`")


def steps(section: str) -> list[str]:
    """The numbered lines of a section."""
    text = (ROOT / "docs" / "message.md").read_text()
    body = text.partition(f"## {section}\n")[2].partition("\n## ")[0]
    found = _STEP.findall(body)
    assert [int(number) for number, _ in found] == list(range(1, len(found) + 1))
    return [line for _, line in found]


def test_a_message_passes_at_most_30_files_on_its_way_to_the_database() -> None:
    walk = steps("Through which files")
    first = [_FILE.findall(line)[0] for line in walk]
    assert 20 <= len(first) <= 30
    assert len(set(first)) == len(first)
    assert {name.partition("/")[0] for name in first} == {
        "producer",
        "gateway",
        "consumer",
        "pipeline",
        "worker",
    }


def test_a_tick_of_the_page_passes_at_most_8_files() -> None:
    assert 5 <= len(steps("From the database to the page")) <= 8


def test_every_file_that_the_page_names_exists() -> None:
    named = _FILE.findall((ROOT / "docs" / "message.md").read_text())
    assert [name for name in named if not (ROOT / name).is_file()] == []
