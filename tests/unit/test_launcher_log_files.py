import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from launcher import commands, configuration, log_files
from launcher.local.system import LocalSystem
from launcher.log_line import LogLine


def said(second: int, message: str) -> str:
    return json.dumps({"time": f"2026-01-02T03:04:{second:02}Z", "message": message}) + "\n"


def everything(folder: Path) -> list[str]:
    return [line.message for line in log_files.read(folder, wanted=lambda name: True)]


def test_lines_of_all_services_are_merged_by_time(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text(said(1, "1") + said(4, "4"))
    (tmp_path / "b.log").write_text(said(2, "2") + "no time\n" + said(3, "3"))
    assert everything(tmp_path) == ["1", "2", "no time", "3", "4"]


def test_files_that_were_rotated_away_come_first(tmp_path: Path) -> None:
    for number, name in enumerate(("a.log.10", "a.log.2", "a.log.1", "a.log")):
        (tmp_path / name).write_text(said(number, name))
    assert everything(tmp_path) == ["a.log.10", "a.log.2", "a.log.1", "a.log"]


def test_only_wanted_parts_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text(said(1, "a"))
    (tmp_path / "b.log").write_text(said(2, "b"))
    found = log_files.read(tmp_path, wanted=lambda name: name == "b")
    assert [line.message for line in found] == ["b"]


def test_an_empty_or_missing_folder_has_no_lines(tmp_path: Path) -> None:
    assert everything(tmp_path) == []
    assert everything(tmp_path / "none") == []


def follow(folder: Path, *steps: object) -> Iterator[LogLine]:
    """Follows, doing one of ``steps`` whenever it would wait."""
    waiting = iter(steps)
    return log_files.read(
        folder,
        wanted=lambda name: True,
        follow=lambda: True,
        sleep=lambda _: next(waiting)(),  # type: ignore[operator]
    )


def test_following_continues_with_what_is_written_later_and_with_new_services(tmp_path: Path) -> None:
    file = tmp_path / "a.log"
    file.write_text(said(1, "1"))
    found = follow(
        tmp_path,
        lambda: file.write_text(said(1, "1") + said(2, "2")),
        lambda: (tmp_path / "b.log").write_text(said(3, "3")),
    )
    assert [line.message for line in islice(found, 3)] == ["1", "2", "3"]


def test_a_line_that_is_half_written_is_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "a.log"
    text = said(1, "whole") + said(2, "next")
    file.write_text(text[:20])
    found = follow(tmp_path, lambda: file.write_text(text))
    assert [line.message for line in islice(found, 2)] == ["whole", "next"]


def test_following_survives_a_rotation_without_losing_a_line(tmp_path: Path) -> None:
    file = tmp_path / "a.log"
    file.write_text(said(1, "1"))

    def rotate() -> None:
        with file.open("a") as old:
            old.write(said(2, "2"))
        file.rename(tmp_path / "a.log.1")
        file.write_text(said(3, "3"))

    assert [line.message for line in islice(follow(tmp_path, rotate), 3)] == ["1", "2", "3"]


def test_two_rotations_between_two_reads_and_a_line_that_continues_in_the_next_file(tmp_path: Path) -> None:
    file = tmp_path / "a.log"
    file.write_text(said(1, "1"))

    def rotate_twice() -> None:
        with file.open("a") as old:
            old.write(said(2, "2") + said(3, "3")[:15])
        file.rename(tmp_path / "a.log.2")
        (tmp_path / "a.log.1").write_text(said(3, "3")[15:])
        file.write_text(said(4, "4"))

    found = follow(tmp_path, rotate_twice)
    assert [line.message for line in islice(found, 4)] == ["1", "2", "3", "4"]


def test_following_ends_with_the_system_after_its_last_line(tmp_path: Path) -> None:
    file = tmp_path / "a.log"
    file.write_text(said(1, "1"))
    runs = iter([True, False])

    def stop() -> None:
        file.write_text(said(1, "1") + said(2, "last"))

    found = log_files.read(
        tmp_path, wanted=lambda name: True, follow=lambda: next(runs), sleep=lambda _: stop()
    )
    assert [line.message for line in found] == ["1", "last"]


def test_what_the_installation_said_is_shown_to_those_who_ask_for_it(tmp_path: Path) -> None:
    system = LocalSystem(configuration.load({"FIZZBUZZ_HOME": str(tmp_path)}))
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "web.log").write_text(said(1, "web"))
    (tmp_path / "logs" / "install.log").write_text(said(2, "install"))
    for name in ("docker-build", "docker-up", "kubernetes-forward", "kubernetes-load"):  # of other modes
        (tmp_path / "logs" / f"{name}.log").write_text(said(3, name))
    assert [line.message for line in system.logs(None, follow=False)] == ["web"]
    assert [line.message for line in system.logs("install", follow=False)] == ["install"]
    assert [line.message for line in system.logs("docker-up", follow=False)] == ["docker-up"]


def test_a_log_that_is_empty_is_said_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "gateway.log").write_text("")
    monkeypatch.setenv("FIZZBUZZ_HOME", str(tmp_path))
    assert commands.logs("gateway", follow=False, pretty=True) == 0
    assert capsys.readouterr() == ("", "start.sh: gateway has no log lines\n")
