"""What the user wants: environment and ``.env`` together, checked before anything starts."""

import difflib
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from launcher import env_file
from launcher.errors import USAGE, UserError
from launcher.layout import Layout
from pipeline import declaration, settings
from pipeline.declaration import SettingsError
from pipeline.settings import DECLARED, Settings

CHECKOUT = Path(__file__).resolve().parent.parent
REDIS_URLS = DECLARED["REDIS_URL"].names
"""The settings that name an outside Redis: by its URL, or by a file with that."""
_PLACES = {"FIZZBUZZ_HOME", "FIZZBUZZ_VENV"}
"""Where a system is, not what it does."""
_SECRET_FILES = {name for one in DECLARED.values() for name in one.names if name != one.name}
_PATHS = _SECRET_FILES | {one.name for one in DECLARED.values() if one.parse in (Path, declaration.path)}
_PROXIES = {"http_proxy", "https_proxy", "all_proxy"}


@dataclass(frozen=True, slots=True)
class Configuration:
    """One system's settings, as given and as parsed."""

    checkout: Path
    home: Layout
    env_file: Path
    given: Mapping[str, str] = field(repr=False)
    """Every setting that environment or ``.env`` set to something."""
    settings: Settings
    origins: Mapping[str, str] = field(default_factory=dict)
    """Where each one was set."""

    @property
    def venv(self) -> Path:
        """The virtual environment that the services run in."""
        return self.ready_venv or self.home.venv

    @property
    def ready_venv(self) -> Path | None:
        """A virtual environment that is used as it is, instead of one of our own."""
        path = self.given.get("FIZZBUZZ_VENV")
        return Path(path).absolute() if path else None

    @property
    def outside_redis(self) -> str:
        """The URL of an outside Redis; empty where the system has one of its own."""
        return self.settings.redis_url if any(map(self.given.get, REDIS_URLS)) else ""


def home_of(environ: Mapping[str, str] = os.environ, checkout: Path = CHECKOUT) -> Layout:
    """The home of the system that is meant; settings that are invalid don't matter.

    Raises:
        UserError: ``.env``, which may name it, can't be read.
    """
    given = environ.get("FIZZBUZZ_HOME", "").strip()
    if not given:
        given = env_file.read(checkout / ".env", strict=False).get("FIZZBUZZ_HOME", "")
    return Layout(checkout / (given or ".fizzbuzz"))


def env_file_of(environ: Mapping[str, str] = os.environ, checkout: Path = CHECKOUT) -> Path:
    """The ``.env`` of that system."""
    return checkout / environ.get("FIZZBUZZ_HOME", "").strip() / ".env"


def load(environ: Mapping[str, str] = os.environ, checkout: Path = CHECKOUT) -> Configuration:
    """Read environment and ``.env``; the environment wins.

    Raises:
        UserError: a value is invalid, or ``.env`` can't be read.
    """
    file = env_file_of(environ, checkout)
    in_file = env_file.read(file)
    in_environ = only_settings(environ)
    given = {**{name: value for name, value in in_file.items() if value}, **in_environ}
    origins = {name: "the environment" if name in in_environ else str(file) for name in given}
    _warn([*_warnings(in_file, str(file), in_file), *_warnings(environ, "the environment", _ours(environ))])
    wanted = parse(given, home_of(environ, checkout), file, checkout, origins)
    if given.get("INFLUXDB_URL") and not (wanted.settings.influx.token or wanted.settings.store == "sqlite"):
        raise UserError(
            "INFLUXDB_URL is set, but INFLUXDB_TOKEN is not: set it to a token of that server", USAGE
        )
    return wanted


def parse(
    given: Mapping[str, str],
    home: Layout,
    file: Path,
    checkout: Path = CHECKOUT,
    origins: Mapping[str, str] | None = None,
) -> Configuration:
    """The configuration of ``given`` settings, of now or of an earlier start. Raises UserError."""
    given = {**given, "FIZZBUZZ_HOME": str(home.path)}
    try:
        checked = settings.read(given, origins=origins)
    except SettingsError as error:
        raise UserError(str(error), USAGE) from error
    return Configuration(checkout, home, file, given, checked, origins or {})


def parse_saved(given: Mapping[str, str], home: Layout, file: Path) -> Configuration:
    """The configuration of an earlier start; the defaults where this version refuses its settings.

    The file of a secret may be gone by now: where the system is, and its ports, are known all the same.
    """
    without_files = {name: value for name, value in given.items() if name not in _SECRET_FILES}
    for known in (given, without_files):
        with suppress(UserError):
            return parse(known, home, file)
    return parse({}, home, file)


def differences(running: Mapping[str, str], wanted: Configuration) -> Iterator[str]:
    """What differs between the settings of a running system and those of now, one text each."""
    names = [name for one in DECLARED.values() for name in one.names if name not in _PLACES]
    for name in names:
        before, now = running.get(name, ""), wanted.given.get(name, "")
        declared = DECLARED.get(name)
        default = declared.default if declared and isinstance(declared.default, str) else ""
        if (before or default) != (now or default):
            secret = declared is None or declared.secret or "://" in before + now
            origin = f" (set in {wanted.origins[name]})" if name in wanted.origins else ""
            shown = f" is {_shown(before, default)} there and {_shown(now, default)} here"
            yield f"{name}{' differs' if secret else shown}{origin}"


def is_setting(name: str) -> bool:
    """Whether an environment variable is one of the system's settings."""
    return name.startswith(("FIZZBUZZ_", "INFLUXDB_")) or name in REDIS_URLS


def only_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """The settings in ``environ`` that are not empty."""
    return {name: value.strip() for name, value in environ.items() if is_setting(name) and value.strip()}


def without_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """``environ`` less all settings, so that a service sees just those it is passed."""
    return {name: value for name, value in environ.items() if not is_setting(name)}


def of_programs(environ: Mapping[str, str]) -> dict[str, str]:
    """What programs beside the system inherit: no setting, and no proxy, which would be sent its secrets."""
    return {name: value for name, value in without_settings(environ).items() if name.lower() not in _PROXIES}


def with_absolute_paths(given: Mapping[str, str], checkout: Path) -> dict[str, str]:
    """``given`` for a program in another folder: relative paths are the checkout's."""
    return {
        name: str(checkout / value) if name in _PATHS and value else value for name, value in given.items()
    }


def _shown(value: str, default: str) -> str:
    return value or f"{default or 'unset'} (default)"


def _ours(environ: Mapping[str, str]) -> list[str]:
    """The names in ``environ`` that mean this system, misspelled ones too."""
    return [name for name in environ if name.startswith("FIZZ")]


def _warnings(environ: Mapping[str, str], origin: str, names: Iterable[str]) -> Iterator[str]:
    known = {name for one in DECLARED.values() for name in one.names}
    for name in sorted(set(names) - known):
        nearest = difflib.get_close_matches(name, known, 1, 0.0)[0]
        yield f"{name} (set in {origin}) is not a setting; did you mean {nearest}?"
    if "FIZZBUZZ_HOME" in environ and not environ["FIZZBUZZ_HOME"].strip():
        yield f"FIZZBUZZ_HOME (set in {origin}) is empty: the default .fizzbuzz is used"


def _warn(warnings: Iterable[str]) -> None:
    if os.environ.get("START_SH_WARNED"):  # this process continues one that has warned already
        return
    for text in warnings:
        print(f"start.sh: {text}", file=sys.stderr)
