"""The files and settings that the documentation names exist."""

import re
from pathlib import Path

import pytest

from pipeline.settings import DECLARED

PROJECT = Path(__file__).parents[2]
PAGES = [*sorted(PROJECT.glob("*.md")), *sorted((PROJECT / "docs").glob("*.md"))]
_FILE = re.compile(r"`(?!FIZZBUZZ_HOME/)([\w./-]+/[\w.-]+\.(?:py|cfg|js|css|html|json|yml|txt|sh|proto))`")
_SETTING = re.compile(r"\bFIZZBUZZ_[A-Z0-9_]+\b")
_LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
_FILES = {f"{name}_FILE" for name in DECLARED}


def _name(page: Path) -> str:
    return str(page.relative_to(PROJECT))


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    named = set(_FILE.findall(page.read_text()))
    folders = (PROJECT, PROJECT / "tests")
    assert {name for name in named if not any((folder / name).exists() for folder in folders)} == set()


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_link_leads_to_a_file(page: Path) -> None:
    links = set(_LINK.findall(page.read_text()))
    assert {link for link in links if not (page.parent / link).exists()} == set()


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_setting_that_a_page_names_is_declared(page: Path) -> None:
    named = set(_SETTING.findall(page.read_text()))
    assert named - set(DECLARED) - _FILES == set()
