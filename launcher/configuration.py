"""What the person wants: environment and ``.env`` together, checked before anything starts."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from launcher import env_file
from launcher.home import Home
from launcher.problem import USAGE, Problem
from pipeline import settings
from pipeline.declaration import SettingsError
from pipeline.settings import Settings

CHECKOUT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Configuration:
    """One system's settings, as they were given and as they were understood."""

    checkout: Path
    home: Home
    env_file: Path
    given: Mapping[str, str] = field(repr=False)
    """Every setting that environment or ``.env`` set to something."""
    settings: Settings

    @property
    def venv(self) -> Path:
        """The virtual environment that the parts run in."""
        return self.ready_venv or self.home.venv

    @property
    def ready_venv(self) -> Path | None:
        """A virtual environment that is used as it is, instead of one of our own."""
        path = self.given.get("FIZZBUZZ_VENV")
        return Path(path).absolute() if path else None


def load(environ: Mapping[str, str] = os.environ, checkout: Path = CHECKOUT) -> Configuration:
    """Read environment and ``.env``; the environment wins.

    Raises:
        Problem: a value makes no sense, or ``.env`` can't be read.
    """
    home_given = environ.get("FIZZBUZZ_HOME", "").strip()
    file = (checkout / home_given if home_given else checkout) / ".env"
    in_file = env_file.read(file)
    given = {**in_file, **only_settings(environ)}
    origins = {name: "the environment" if name in only_settings(environ) else str(file) for name in given}
    home = Home(checkout / given.get("FIZZBUZZ_HOME", ".fizzbuzz"))
    given["FIZZBUZZ_HOME"] = str(home.path)
    try:
        checked = settings.read(given, origins=origins)
    except SettingsError as error:
        raise Problem(str(error), USAGE) from error
    if given.get("INFLUXDB_URL") and not (checked.influx.token or checked.store == "sqlite"):
        raise Problem(
            "INFLUXDB_URL is set, but INFLUXDB_TOKEN is not: set it to a token of that server", USAGE
        )
    return Configuration(checkout, home, file, given, checked)


def is_setting(name: str) -> bool:
    """Whether an environment variable is one of the system's settings."""
    return name.startswith(("FIZZBUZZ_", "INFLUXDB_")) or name == "REDIS_URL"


def only_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """The settings in ``environ`` that are not empty."""
    return {name: value.strip() for name, value in environ.items() if is_setting(name) and value.strip()}


def without_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """``environ`` less all settings, so that a part sees just those it is told."""
    return {name: value for name, value in environ.items() if not is_setting(name)}
