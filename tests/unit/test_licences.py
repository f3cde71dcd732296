"""What is installed may be used and passed on with this project, whose own licence is MIT."""

import re
from importlib import metadata

import pytest
from packaging.markers import Marker

from launcher.configuration import CHECKOUT

ALLOWED = re.compile(
    r"MIT|BSD|Apache|ISC|PSF|Python Software Foundation|ZPL|MPL|Mozilla Public License|Zlib|CC0|DFSG"
)
"""Permissive, and MPL, whose conditions are on changes of its own files."""
FORBIDDEN = re.compile(r"GPL|General Public|SSPL|Commons Clause|BUSL|Proprietary|Non-?Commercial")
SAID_ELSEWHERE = {"axe-playwright-python": "MIT"}
"""Packages whose metadata has no licence, with the one in their files."""
_PIN = re.compile(r"^([\w.-]+)==\S+(?: ; ([^\\\n]+?))? \\?$", re.MULTILINE)


def pinned(name: str = "*.txt") -> list[str]:
    """The packages of these lock files that are for a machine such as this one."""
    found = set()
    for path in (CHECKOUT / "requirements").glob(name):
        for package, marker in _PIN.findall(path.read_text()):
            if not marker or Marker(marker).evaluate():
                found.add(package)
    return sorted(found)


def licence(package: str) -> str:
    """What the installed package says; empty where it is not installed or says nothing."""
    try:
        said = metadata.metadata(package)
    except metadata.PackageNotFoundError:
        return ""
    classifiers = [one for one in said.get_all("Classifier", []) if one.startswith("License ::")]
    words = [*said.get_all("License-Expression", []), *classifiers] or said.get_all("License", [])
    return SAID_ELSEWHERE.get(package) or " ".join(words)


@pytest.mark.parametrize("package", [one for one in pinned() if licence(one)])
def test_a_package_may_be_used_and_passed_on(package: str) -> None:
    text = licence(package)[:300]
    assert ALLOWED.search(text), text
    assert not FORBIDDEN.search(text), text


def test_those_that_the_services_need_were_checked() -> None:
    run = pinned("run.txt")
    assert [one for one in run if not licence(one)] == []
    assert len(run) > 20
