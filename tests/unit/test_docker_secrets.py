"""What Docker mode puts into the volumes of its secrets."""

import json
from pathlib import Path
from typing import Any

import pytest

from launcher import configuration
from launcher.compose import engine
from launcher.compose.system import DockerSystem
from launcher.errors import UserError
from pipeline import tokens


def test_every_token_is_handed_over_with_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[str] = []

    def run(*words: str, **options: Any) -> str:
        given.append(options.get("given", ""))
        raise UserError("no engine here")

    monkeypatch.setattr(engine, "run", run)
    file = tmp_path / "tokens"
    file.write_text("alice:0123456789abcdef\nbob:fedcba9876543210\n")
    settings = {"FIZZBUZZ_HOME": str(tmp_path), "FIZZBUZZ_API_TOKEN_FILE": str(file)}
    with pytest.raises(UserError):
        DockerSystem(configuration.load(settings)).start()
    (secrets,) = map(json.loads, filter(None, given))
    assert tokens.parse(secrets["api_token"]) == tokens.read(file)
