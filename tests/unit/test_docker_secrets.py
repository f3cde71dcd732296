"""What Docker mode puts into the volumes of its secrets."""

import json
from pathlib import Path
from typing import Any, ClassVar

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


def test_a_token_of_influxdb_is_its_owners_alone_and_replaces_the_lost_one(tmp_path: Path) -> None:
    pytest.importorskip("influxdb_client")
    from deploy.influxdb import tokens as influx_tokens

    class Api:
        calls: ClassVar[list[tuple[str, ...]]] = []

        def call(self, *words: Any, **query: Any) -> dict[str, Any]:
            self.calls.append(words[:2])
            lost = {"id": "of-before", "description": "fizzbuzz read"}
            return {"token": "new"} if words[0] == "POST" else {"authorizations": [lost]}

    file = influx_tokens.path(tmp_path, "read")
    for _ in range(2):  # the second one replaces a file that can't be written
        influx_tokens.make(Api(), tmp_path, "read", "org", "bucket")  # type: ignore[arg-type]
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("new\n", 0o400)
    assert list(file.parent.iterdir()) == [file]
    assert Api.calls[-1] == ("DELETE", "/api/v2/authorizations/of-before")
