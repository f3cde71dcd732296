"""The lock files are in step with pyproject.toml, and install what was checked, only from wheels."""

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = Path(__file__).parents[2]
LOCKED = {
    "run": ["dependencies"],
    "redis": ["dependencies", "redis"],
    "load": ["dependencies", "load"],
    "notebook": ["dependencies", "notebook"],
    "unit": ["dependencies", "unit", "load"],
    "test": ["dependencies", "test", "notebook"],
    "uv": ["uv"],
    "queue-ui": ["queue-ui"],
    "rivals": ["rivals"],
}
"""What each file is made from, see ``requirements/lock.sh``."""

_PIN = re.compile(r"^([\w.-]+)==(\S+)(?: ; ([^\\\n]+?))? \\?$", re.MULTILINE)


@cache
def declared(group: str) -> list[Requirement]:
    """The requirements of a group, those that it includes among them."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    if group == "dependencies":
        return [Requirement(one) for one in project["project"]["dependencies"]]
    found: list[Requirement] = []
    for one in project["dependency-groups"][group]:
        found += declared(included(one)) if isinstance(one, dict) else [Requirement(one)]
    return found


def included(entry: dict[str, Any]) -> str:
    return str(entry["include-group"])


def pins(name: str) -> dict[str, list[str]]:
    """The versions that a lock file pins, by package; several where they depend on the platform."""
    found: dict[str, list[str]] = {}
    for package, version, _ in _PIN.findall((PROJECT / "requirements" / f"{name}.txt").read_text()):
        found.setdefault(canonicalize_name(package), []).append(version)
    return found


def test_every_lock_file_is_known_and_made_by_the_script() -> None:
    script = (PROJECT / "requirements" / "lock.sh").read_text()
    files = {path.stem for path in (PROJECT / "requirements").glob("*.txt")}
    assert files == set(LOCKED) == set(re.findall(r"^compile (\S+)", script, re.MULTILINE))


@pytest.mark.parametrize("name", LOCKED)
def test_a_lock_file_pins_what_is_declared(name: str) -> None:
    locked = pins(name)
    for requirement in (one for group in LOCKED[name] for one in declared(group)):
        versions = locked.get(canonicalize_name(requirement.name), [])
        assert versions, f"{requirement.name} is not in requirements/{name}.txt: run requirements/lock.sh"
        wrong = [one for one in versions if not requirement.specifier.contains(one, prereleases=True)]
        assert wrong == [], f"{requirement.name} {wrong} in requirements/{name}.txt is not {requirement}"


@pytest.mark.parametrize("name", LOCKED)
def test_every_pin_has_hashes(name: str) -> None:
    text = (PROJECT / "requirements" / f"{name}.txt").read_text()
    blocks = re.split(r"\n(?=\S)", text.strip())
    assert [block.splitlines()[0] for block in blocks if "--hash=sha256:" not in block] == []


@pytest.mark.parametrize("name", sorted({*LOCKED} - {"run", "rivals"}))  # these never run beside the services
def test_no_lock_file_installs_another_version_than_the_services_run_with(name: str) -> None:
    run = pins("run")
    differ = {
        package: versions
        for package, versions in pins(name).items()
        if run.get(package, versions) != versions
    }
    assert differ == {}
