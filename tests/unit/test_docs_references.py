"""What the documentation names exists: files, headings, settings with their defaults, metrics, packages."""

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from itertools import chain
from pathlib import Path

import pytest

from pipeline.settings import DECLARED, read

PROJECT = Path(__file__).parents[2]
PAGES = [*sorted(PROJECT.glob("*.md")), *sorted((PROJECT / "docs").glob("*.md"))]
_FILE = re.compile(r"`(?!FIZZBUZZ_HOME/)([\w./-]+/[\w.-]+\.(?:py|cfg|js|css|html|json|yml|txt|sh|proto))`")
_SETTING = re.compile(r"\bFIZZBUZZ_[A-Z0-9_]+\b")
_LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
_ANCHOR = re.compile(r"\]\(([^)#:]*)#([^)]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_METRIC = re.compile(r"\bfizzbuzz_(?:producer|gateway|consumer|worker|web)_\w+")
_KINDS = {"Counter", "Gauge", "Histogram", "Summary", "Info"}
SERVICES = ("producer", "gateway", "consumer", "worker", "web")
_FILES = {f"{name}_FILE" for name in DECLARED}


def _name(page: Path) -> str:
    return str(page.relative_to(PROJECT))


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    named = set(_FILE.findall(page.read_text()))
    folders = (PROJECT, PROJECT / "tests")
    assert {name for name in named if not any((folder / name).exists() for folder in folders)} == set()


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_command_that_opens_the_database_works_from_the_checkout(page: Path) -> None:
    """Elsewhere sqlite3 would make an empty database, and report nothing."""
    opened = re.findall(r"\bsqlite3 (?:-\w+ )*(\S*messages\.db)", page.read_text())
    assert set(opened) <= {".fizzbuzz/data/messages.db"}


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_link_leads_to_a_file(page: Path) -> None:
    links = set(_LINK.findall(page.read_text()))
    assert {link for link in links if not (page.parent / link).exists()} == set()


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_setting_that_a_page_names_is_declared(page: Path) -> None:
    named = set(_SETTING.findall(page.read_text()))
    assert named - set(DECLARED) - _FILES == set()


def _anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = _HEADING.findall(page.read_text())
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_link_into_a_page_leads_to_a_heading(page: Path) -> None:
    links = set(_ANCHOR.findall(page.read_text()))
    assert [
        (to, anchor) for to, anchor in links if anchor not in _anchors(page.parent / to if to else page)
    ] == []


@cache
def _metrics() -> frozenset[str]:
    """The names of all metrics that the services declare."""
    return frozenset(_declared_metrics())


def _declared_metrics() -> Iterator[str]:
    for path in chain.from_iterable((PROJECT / service).rglob("*.py") for service in SERVICES):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(func=ast.Name(id=kind), args=[ast.Constant(value=str(name)), *_]) if (
                    kind in _KINDS
                ):
                    yield name


def test_the_metrics_of_every_service_are_found() -> None:
    assert {name.split("_")[1] for name in _metrics()} == set(SERVICES)


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_metric_that_a_page_names_is_exported(page: Path) -> None:
    known = _metrics()
    exported = known | {f"{name}_{part}" for name in known for part in ("count", "sum", "bucket")}
    assert set(_METRIC.findall(page.read_text())) - exported == set()


def _table(heading: str, page: Path) -> list[list[str]]:
    """The rows of the first table below a heading, each as its cells."""
    section = page.read_text().partition(f"## {heading}\n")[2].partition("\n## ")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


def test_the_defaults_in_the_readme_are_those_of_the_settings() -> None:
    documented = {
        name: default.strip("` /")
        for names, defaults, *_ in _table("Settings", PROJECT / "README.md")
        for name, default in zip(names.split(", "), defaults.split(", "), strict=False)
        if " " not in default.strip() and default != "empty"
    }
    fixed = {f"`{name}`": one.default for name, one in DECLARED.items() if isinstance(one.default, str)}
    assert len(documented) > 10
    compared = {name: default for name, default in documented.items() if name in fixed}
    assert compared == {name: fixed[name] for name in compared}
    assert f"`{documented['`FIZZBUZZ_BURST_SPAN_MS`']}`" == f"`{read({}).burst_span_ms}`"


def test_the_defaults_of_the_compose_file_are_those_of_the_settings() -> None:
    compose = (PROJECT / "deploy" / "docker-compose.yml").read_text()
    found = set(re.findall(r"\$\{(\w+):?-([^}]*)\}", compose))
    fixed = {(name, one.default) for name, one in DECLARED.items() if isinstance(one.default, str)}
    ours = {(name, default) for name, default in found if any(name == known for known, _ in fixed)}
    assert len(ours) > 10
    assert ours - fixed == DIFFER_IN_CONTAINERS


DIFFER_IN_CONTAINERS: set[tuple[str, str]] = set()
"""Defaults that are others there, with the reason."""


def test_every_row_of_the_faults_names_its_test() -> None:
    rows = (
        _table("", PROJECT / "docs" / "faults.md")
        or [
            [cell.strip() for cell in line.strip("|").split("|")]
            for line in (PROJECT / "docs" / "faults.md").read_text().splitlines()
            if line.startswith("|")
        ][2:]
    )
    assert len(rows) > 30
    for row in rows:
        named = re.findall(r"`([\w/]+(?:\.py)?)/?`", row[-1])
        assert named, row[0]
        assert [name for name in named if not (PROJECT / "tests" / name).exists()] == [], row[0]


def _requirements() -> set[str]:
    declared = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    return {*declared["project"]["dependencies"], *_strings(declared["dependency-groups"])}


def _strings(groups: dict[str, list[object]]) -> Iterator[str]:
    """The requirements of all groups, without those that another group includes."""
    return (one for one in chain(*groups.values()) if isinstance(one, str))


def test_every_dependency_has_its_reason_and_no_other_package_has_one() -> None:
    names = {re.split(r"[<>=;\s]", requirement)[0] for requirement in _requirements()}
    page = (PROJECT / "docs" / "dependencies.md").read_text().partition("## Other programs")[0]
    rows = re.findall(r"^\| ([^|]+) \|", page, re.MULTILINE)
    explained = {name for row in rows for name in row.split(", ")} - {"package", "---", "types-*"}
    assert {name for name in names if not name.startswith("types-")} == explained
