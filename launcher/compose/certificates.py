"""Certificates in Docker mode: the compose file mounts their folders, so that renewed files are seen."""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from launcher.configuration import Configuration
from launcher.errors import USAGE, UserError
from pipeline.certificate import NamedFile

PROFILE = "tls"
"""Of the service that copies them for the others."""
_PYTHON = ("python", "-m", "deploy.keep_certificates", "--once")
COPY = ("run", "--rm", "--no-deps", "-T", "certificates", *_PYTHON)
"""For ``docker compose``: it makes the first copies, or reports what it can't read."""
_OWNER = "START_SH_TLS_USER"


@dataclass(frozen=True, slots=True)
class Mounted:
    """The files of one connection, absolute, the key first."""

    name: str
    files: tuple[NamedFile, ...]

    @property
    def folder(self) -> Path:
        """It holds them and what they are links to."""
        paths = [str(one.path) for one in self.files]
        real = map(os.path.realpath, paths)
        return Path(os.path.commonpath([Path(path).parent for path in (*paths, *real)]))

    def variables(self) -> Iterator[tuple[str, str]]:
        """What the compose file asks for. Raises nothing."""
        yield _variable(self.files[0].setting).replace("_KEY", "_FOLDER"), str(self.folder)
        for one in self.files:
            yield _variable(one.setting), one.path.relative_to(self.folder).as_posix()


def settings(configuration: Configuration) -> dict[str, str]:
    """What the compose file is passed; nothing where no certificate is set. Raises nothing."""
    found: dict[str, str] = {}
    for mounted in _all(configuration):
        found |= mounted.variables()
        with suppress(OSError):
            found.setdefault(_OWNER, str(mounted.files[0].path.stat().st_uid))
    return found


def check(configuration: Configuration) -> None:
    """Raise UserError where the files of a connection share no folder but the root."""
    for mounted in _all(configuration):
        if mounted.folder == Path(mounted.folder.anchor):
            why = "docker mode needs them, and what they are links to, in one folder"
            raise UserError(f"{' and '.join(map(str, mounted.files))}: {why}", USAGE)


def explain(configuration: Configuration, text: str) -> str:
    """The service's output, with the paths of this machine."""
    for mounted in _all(configuration):
        text = text.replace(f"=/host/{mounted.name}/", f"={mounted.folder}{os.sep}")
    return text


def _all(configuration: Configuration) -> Iterator[Mounted]:
    page, grpc = configuration.settings.tls, configuration.settings.grpc_tls
    if page:
        yield _mounted("page", configuration.checkout, page.key, page.certificate)
    if grpc:
        yield _mounted("grpc", configuration.checkout, grpc.pair.key, grpc.pair.certificate, grpc.ca)


def _mounted(name: str, checkout: Path, *files: NamedFile) -> Mounted:
    """Its paths keep their links, since those of a renewed file may lead elsewhere."""
    paths = [Path(os.path.normpath(checkout / one.path)) for one in files]
    return Mounted(name, tuple(map(NamedFile, [one.setting for one in files], paths)))


def _variable(setting: str) -> str:
    return setting.replace("FIZZBUZZ_", "START_SH_")
