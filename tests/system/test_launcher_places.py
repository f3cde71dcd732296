"""Where a checkout may lie: in a path with any characters, behind a link, where nothing can be written."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from launcher.configuration import CHECKOUT
from launcher.programs import NOTEBOOK
from tests.support import checkout
from tests.support.launched import HEALS_S, READY_VENV, Launched
from tests.support.waiting import until
from tests.system.conftest import NewSystem, remove_leftovers

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def odd_checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkout.copy_to(tmp_path_factory.mktemp("odd") / checkout.ODD)


@pytest.fixture(scope="module")
def odd_system(odd_checkout: Path) -> Iterator[Launched]:
    """Its tests start it where it does not run."""
    system = Launched(odd_checkout / ".fizzbuzz", odd_checkout)
    system.command_s = 200  # for the notebook, which starts several programs
    system.settings["FIZZBUZZ_HOME"] = ""
    yield system
    remove_leftovers(odd_checkout, system)


@pytest.mark.long
@pytest.mark.timeout(350)
def test_the_notebook_runs_in_such_a_path(odd_system: Launched) -> None:
    # Matplotlib's first import lists the machine's fonts; where that takes long it says so in the notebook.
    subprocess.run([f"{READY_VENV}/bin/python", "-c", "import matplotlib.font_manager"], check=True)
    odd_system.up()
    done = odd_system.start_sh("notebook", "--run")
    assert done.returncode == 0, done.stdout + done.stderr
    executed = odd_system.home / "executed-producer_consumer.ipynb"
    assert "50 of 50 stored" in executed.read_text()  # while a worker was frozen
    assert cells(executed) == cells(CHECKOUT / NOTEBOOK)
    odd_system.until_healthy()


def test_a_path_with_any_characters_works_as_every_other(odd_system: Launched) -> None:
    odd_system.up()
    until(odd_system.is_well, HEALS_S)
    done = odd_system.start_sh("load", "--rate", "50", "--for", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert odd_system.rows("SELECT count(*) FROM message WHERE run LIKE 'load-%'") == [(50,)]
    queue = next(line for line in odd_system.up().stdout.splitlines() if line.startswith("queue"))
    shown = subprocess.run(
        ["sh", "-c", queue.removeprefix("queue")], capture_output=True, text=True, check=False
    )
    assert "worker-1" in shown.stdout, shown.stderr
    odd_system.down()
    assert odd_system.processes() == {}


def cells(notebook: Path) -> list[tuple[str, set[str]]]:
    """The source of each cell, and of which kinds its outputs are."""
    found = json.loads(notebook.read_text())["cells"]
    return [
        ("".join(cell["source"]), {kind for output in cell.get("outputs", ()) for kind in kinds(output)})
        for cell in found
    ]


def kinds(output: dict[str, Any]) -> set[str]:
    """The types of what is shown; else the name of the stream, or that it is an error."""
    return set(output.get("data", {})) or {output.get("name", output["output_type"])}


def test_a_read_only_checkout_works_with_a_home_elsewhere(new_system: NewSystem, tmp_path: Path) -> None:
    copy = checkout.copy_to(tmp_path / "copy")
    for stub in (copy / "proto").glob("*_pb2*"):
        stub.unlink()
    subprocess.run(["chmod", "-R", "a-w", str(copy)], check=True)
    mount = os.access(copy, os.W_OK)  # root may write all the same: only a mount is read-only to it
    if (
        mount
        and subprocess.run(["mount", "--bind", "-o", "ro", str(copy), str(copy)], check=False).returncode
    ):
        pytest.skip("neither an ordinary user nor able to mount")
    try:
        system = new_system(checkout=copy)
        system.up()
        system.until_healthy()
        system.down()
    finally:
        if mount:
            subprocess.run(["umount", str(copy)], check=True)  # which fails where a process is left in it
        subprocess.run(["chmod", "-R", "u+w", str(copy)], check=True)


def test_a_checkout_without_stubs_starts_from_within_an_activated_environment(
    new_system: NewSystem, tmp_path: Path
) -> None:
    copy = checkout.copy_to(tmp_path / "copy")
    system = new_system(checkout=copy, PATH=f"{READY_VENV}/bin:{os.environ['PATH']}", FIZZBUZZ_RATE="0")
    system.up()
    assert (copy / "proto" / "fizzbuzz_pb2.py").exists()


def test_a_link_to_start_sh_works_from_anywhere(tmp_path: Path) -> None:
    copy = checkout.copy_to(tmp_path / "copy")
    (tmp_path / "bin").mkdir()
    link, second = tmp_path / "bin" / "fizzbuzz", tmp_path / "second"
    link.symlink_to(Path("..") / "copy" / "start.sh")
    second.symlink_to(link)
    for command in ([str(second)], ["sh", "second"]):
        done = subprocess.run(
            [*command, "--version"], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout.split()[0]) == (0, "fizzbuzz-pipeline"), done.stderr
    assert copy.is_dir()


def test_a_relative_link_to_start_sh_is_seen_from_the_folder_that_it_really_lies_in(tmp_path: Path) -> None:
    checkout.copy_to(tmp_path / "real" / "copy")
    (tmp_path / "real" / "bin").mkdir()
    (tmp_path / "real" / "bin" / "fizzbuzz").symlink_to(Path("..") / "copy" / "start.sh")
    (tmp_path / "elsewhere").mkdir()
    linked = tmp_path / "elsewhere" / "bin"
    linked.symlink_to(tmp_path / "real" / "bin")
    command = [str(linked / "fizzbuzz"), "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split()[0]) == (0, "fizzbuzz-pipeline"), done.stderr


def test_a_terminal_that_keeps_python_from_the_current_folder_starts_it_all_the_same() -> None:
    environ = {**os.environ, "PYTHONSAFEPATH": "1"}
    command = [str(CHECKOUT / "start.sh"), "--version"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
