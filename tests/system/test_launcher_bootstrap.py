"""The virtual environment, made for real from lock files of a test's own."""

import hashlib
import io
import os
import re
import shutil
import tarfile
from pathlib import Path

import pytest

from launcher import access, bootstrap, configuration
from launcher.configuration import CHECKOUT, Configuration
from launcher.errors import UserError
from tests.support.launched import READY_VENV

pytestmark = pytest.mark.system

NO_HASH = "flask==3.1.3\n"
"""What pip refuses before it asks any registry."""


def make_checkout(folder: Path) -> None:
    """All that an environment is made of."""
    for name in ("requirements", "proto"):
        (folder / name).mkdir()
    for group in ("run", "redis"):
        (folder / "requirements" / f"{group}.txt").write_text("# nothing\n")
    for module in ("__init__.py", "build.py"):
        (folder / "proto" / module).write_text("")


def pinned(package: str) -> str:
    """What the project's lock file says of a package."""
    text = (CHECKOUT / "requirements" / "run.txt").read_text()
    found = re.search(rf"^{package}==.*(?:\n    .*)*\n", text, re.MULTILINE)
    assert found
    return found[0]


def ensure(configured: Configuration, *, running: bool = False) -> Path:
    return bootstrap.ensure(configured, "run", "redis", running=running)


def configure(folder: Path) -> Configuration:
    make_checkout(folder)
    found = configuration.load({}, folder)
    found.home.make()
    return found


@pytest.fixture
def configured(tmp_path: Path) -> Configuration:
    return configure(tmp_path)


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with its environment, which takes five seconds of a core, made with a common umask."""
    folder = tmp_path_factory.mktemp("made")
    before = os.umask(0o002)
    try:
        ensure(configure(folder))
    finally:
        os.umask(before)
    return folder


@pytest.fixture
def made(made_once: Path, tmp_path: Path) -> Configuration:
    """A copy of it, where nothing but pip is installed."""
    return configuration.load({}, shutil.copytree(made_once, tmp_path / "made", symlinks=True))


@pytest.mark.long
def test_what_a_start_makes_it_does_not_refuse(made: Configuration) -> None:
    access.check_home(made)
    assert not made.home.venv.joinpath("bin").stat().st_mode & 0o022


def test_what_is_half_made_is_made_anew_once_and_then_left_alone(configured: Configuration) -> None:
    configured.home.venv.mkdir()
    (configured.home.venv / "half").write_text("")
    python = ensure(configured)
    assert not (configured.home.venv / "half").exists()
    log = configured.home.logs / "install.log"
    log.unlink()
    assert ensure(configured) == python == bootstrap.python_of(configured.venv)
    assert not log.exists()


@pytest.mark.long
def test_an_install_that_fails_says_why_and_is_tried_again(made: Configuration) -> None:
    lock = made.checkout / "requirements" / "run.txt"
    lock.write_text(NO_HASH)
    with pytest.raises(UserError, match=r"requirements/run\.txt failed: .*hash.* \(more: .*install\.log\)"):
        ensure(made)
    lock.write_text("# nothing\n")
    assert ensure(made).exists()


@pytest.mark.parametrize(
    ("setting", "value", "is_by_uv"),
    [("PIP_RETRIES", "3", True), ("PIP_TRUSTED_HOST", "registry.example", False)],
    ids=["by uv", "by pip, which has a setting that uv does not know"],
)
def test_packages_are_installed_by_uv_or_by_pip(
    made: Configuration, monkeypatch: pytest.MonkeyPatch, setting: str, value: str, is_by_uv: bool
) -> None:
    monkeypatch.setenv(setting, value)
    folder = made.checkout / "requirements"
    shutil.copy(CHECKOUT / "requirements" / "uv.txt", folder)
    monkeypatch.setenv("PATH", str(folder))  # with no Redis
    (folder / "run.txt").write_text(pinned("itsdangerous"))
    (folder / "redis.txt").write_text(re.sub(r"sha256:\w+", f"sha256:{0:064}", pinned("blinker")))
    with pytest.raises(UserError, match="no redis-server"):  # a hash that is wrong is refused by both
        ensure(made)
    (folder / "redis.txt").write_text("# nothing\n")
    python = ensure(made)
    assert bootstrap.works(python, "import itsdangerous")
    installer = next(made.venv.glob("lib/*/site-packages/itsdangerous-*/INSTALLER"))
    assert installer.read_text().strip() == ("uv" if is_by_uv else "pip")


def test_the_redis_on_path_is_used_where_none_can_be_installed(
    made: Configuration, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (made.checkout / "requirements" / "redis.txt").write_text(NO_HASH)
    monkeypatch.setenv("PATH", str(made.checkout))
    with pytest.raises(UserError, match=r"no redis-server 6\.2 or newer on PATH"):
        ensure(made)
    program = made.checkout / "redis-server"
    program.write_text("#!/bin/sh\necho 'Redis server v=7.0.1 sha=0'\n")
    program.chmod(0o755)
    assert ensure(made).exists()
    assert "the redis-server on PATH is used" in capsys.readouterr().out
    program.write_text("#!/bin/sh\necho 'Redis server v=6.0.16 sha=0'\n")
    with pytest.raises(UserError, match=r"no redis-server 6\.2 or newer on PATH"):
        ensure(made)


def test_a_ready_one_is_used_as_it_is(tmp_path: Path) -> None:
    make_checkout(tmp_path)
    ready = configuration.load({"FIZZBUZZ_VENV": READY_VENV}, tmp_path)
    assert ensure(ready) == Path(READY_VENV) / "bin" / "python"
    absent = configuration.load({"FIZZBUZZ_VENV": str(tmp_path / "none")}, tmp_path)
    with pytest.raises(UserError, match="FIZZBUZZ_VENV"):
        ensure(absent)


def test_what_living_processes_run_in_is_not_changed(made: Configuration) -> None:
    ensure(made)
    (made.checkout / "requirements" / "run.txt").write_text("# another\n")
    with pytest.raises(UserError, match=r"restart first"):
        ensure(made, running=True)
    assert ensure(made)


@pytest.mark.long
def test_an_environment_whose_python_is_gone_stays_while_processes_run_in_it(made: Configuration) -> None:
    """As after an upgrade of the Python that it was made with."""
    python = ensure(made)
    python.unlink()
    python.symlink_to(made.checkout / "no-python")
    with pytest.raises(UserError, match=r"does not run any more: \./start\.sh restart first"):
        ensure(made, running=True)
    assert python.is_symlink()
    assert ensure(made).exists()


def test_what_would_have_to_be_built_is_not_installed(made: Configuration, tmp_path: Path) -> None:
    """Building runs code that came with the package, and fetches what no hash was given for."""
    source = tmp_path / "evil-1.0.tar.gz"
    with tarfile.open(source, "w:gz") as archive:
        for name, text in (
            ("PKG-INFO", "Metadata-Version: 2.1\nName: evil\nVersion: 1.0\n"),
            ("setup.py", ""),
        ):
            entry = tarfile.TarInfo(f"evil-1.0/{name}")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    lock = made.checkout / "requirements" / "run.txt"
    lock.write_text(f"--no-index\n--find-links {tmp_path}\nevil==1.0 --hash=sha256:{digest}\n")
    with pytest.raises(UserError, match=r"requirements/run\.txt failed: .*(No matching|satisfies)"):
        ensure(made)
    assert "setuptools" not in (made.home.logs / "install.log").read_text()
