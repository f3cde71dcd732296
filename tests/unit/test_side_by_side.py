"""Which tests share a process, and which begin first."""

from dataclasses import dataclass

import pytest

from launcher.configuration import CHECKOUT
from tests.support.side_by_side import LONGEST, in_order, scope_of


@dataclass
class Item:
    nodeid: str


@pytest.mark.parametrize("folder", ["contract", "influx", "browser", "docker"])
def test_a_folder_is_a_scope_of_its_own(folder: str) -> None:
    tests = [f"tests/{folder}/test_a.py::test_a", f"tests/{folder}/test_b.py::TestB::test_b[1/2]"]
    assert {scope_of(test) for test in tests} == {folder}


@pytest.mark.parametrize("folder", ["system", "gateway", "queue", "unit"])
def test_each_file_of_a_folder_that_shares_nothing_dear_is_one(folder: str) -> None:
    tests = [f"tests/{folder}/test_{name}.py::test_it" for name in ("a", "a", "b")]
    assert [scope_of(test) for test in tests] == [
        f"tests/{folder}/test_a.py",
        f"tests/{folder}/test_a.py",
        f"tests/{folder}/test_b.py",
    ]


def test_a_file_that_starts_a_system_of_its_own_is_one_too() -> None:
    assert scope_of("tests/docker/test_by_hand.py::test_a") == "tests/docker/test_by_hand.py"


def test_the_scopes_that_take_minutes_begin_before_all_others_and_they_exist() -> None:
    names = ["gateway/test_api", *LONGEST, "system/test_docs"]
    items = [
        Item(f"tests/{name}/test_a.py::test_a" if "/" not in name else f"tests/{name}.py::test_a")
        for name in names
    ]
    in_order(items)  # type: ignore[arg-type]
    scopes = [scope_of(item.nodeid).removeprefix("tests/").removesuffix(".py") for item in items]
    assert scopes == [*LONGEST, "system/test_docs", "gateway/test_api"]
    assert all(
        (CHECKOUT / "tests" / name).is_dir() or (CHECKOUT / "tests" / f"{name}.py").is_file()
        for name in LONGEST
    )


def test_what_takes_long_begins_first_and_the_rest_keeps_its_order() -> None:
    folders = ["gateway", "unit", "system", "browser", "docker"]
    items = [Item(f"tests/{folder}/test_a.py::test_a") for folder in folders]
    in_order(items)  # type: ignore[arg-type]
    assert [scope_of(item.nodeid) for item in items] == [
        "docker",
        "browser",
        "tests/system/test_a.py",
        "tests/gateway/test_a.py",
        "tests/unit/test_a.py",
    ]
