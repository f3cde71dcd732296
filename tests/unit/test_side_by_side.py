"""Which tests share a process, and which begin first."""

from dataclasses import dataclass

import pytest

from tests.support.side_by_side import in_order, scope_of


@dataclass
class Item:
    nodeid: str


@pytest.mark.parametrize("folder", ["unit", "contract", "queue", "gateway", "influx", "browser", "docker"])
def test_a_folder_is_a_scope_of_its_own(folder: str) -> None:
    tests = [f"tests/{folder}/test_a.py::test_a", f"tests/{folder}/test_b.py::TestB::test_b[1/2]"]
    assert {scope_of(test) for test in tests} == {folder}


def test_each_file_of_whole_systems_is_one() -> None:
    tests = [f"tests/system/test_{name}.py::test_it" for name in ("a", "a", "b")]
    assert [scope_of(test) for test in tests] == [
        "tests/system/test_a.py",
        "tests/system/test_a.py",
        "tests/system/test_b.py",
    ]


def test_what_takes_long_begins_first_and_the_rest_keeps_its_order() -> None:
    folders = ["contract", "browser", "unit", "system", "docker"]
    items = [Item(f"tests/{folder}/test_a.py::test_a") for folder in folders]
    in_order(items)  # type: ignore[arg-type]
    assert [scope_of(item.nodeid) for item in items] == [
        "docker",
        "tests/system/test_a.py",
        "browser",
        "contract",
        "unit",
    ]
