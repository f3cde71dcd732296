"""Tokens of the HTTP API: what is valid, and how they change."""

from pathlib import Path

import pytest

from pipeline.declaration import SettingsError
from pipeline.settings import load_or_exit, read, require_guard
from pipeline.tokens import InvalidTokens, Token, TokenSource, parse, render

OLD, NEW = "old-0123456789abc", "new-0123456789abc"


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_one_token_needs_no_name() -> None:
    assert parse(f"{OLD}\n") == (Token("", OLD),)


def test_several_have_a_name_each_and_a_name_may_have_two() -> None:
    assert parse(f"\n a:{OLD} \r\na:{NEW}\n\nb-1:{NEW}") == (
        Token("a", OLD),
        Token("a", NEW),
        Token("b-1", NEW),
    )


def test_what_is_written_is_read_as_the_same() -> None:
    tokens = (Token("a", OLD), Token("", NEW))
    assert parse(render(tokens)) == tokens


def test_nothing_is_no_token() -> None:
    assert parse("") == parse(" \n\n") == ()


@pytest.mark.parametrize(
    "text", ["x", "a:short", "0123456789abcde", f":{OLD}", f"a b:{OLD}", "ü" * 16, "a b" * 9]
)
def test_what_is_short_or_fits_in_no_header_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(InvalidTokens) as error:
        parse(f"good:{OLD}\n{text}")
    assert str(error.value).startswith("line 2: ")
    assert text not in str(error.value)


def test_a_token_does_not_show_where_it_is_printed() -> None:
    assert OLD not in repr(parse(OLD))


def test_an_empty_file_is_an_error_and_no_open_gateway(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "token"
    file.write_text("\n")
    monkeypatch.setenv("FIZZBUZZ_API_TOKEN_FILE", str(file))
    with pytest.raises(SystemExit) as end:
        load_or_exit("gateway", require_guard)
    assert end.value.code == 2
    assert capsys.readouterr().err == f"gateway: FIZZBUZZ_API_TOKEN_FILE={file}: it is empty\n"


def test_a_short_token_is_refused_without_repeating_it() -> None:
    with pytest.raises(SettingsError, match=r"^FIZZBUZZ_API_TOKEN: .*16 characters$"):
        read({"FIZZBUZZ_API_TOKEN": "geheim"})


def test_the_systems_own_senders_use_the_first() -> None:
    assert read({"FIZZBUZZ_API_TOKEN": f"a:{OLD}\nb:{NEW}"}).api_token == OLD
    assert read({}).api_token == ""


@pytest.mark.parametrize("bind", ["127.0.0.1", "127.0.0.9", "::1"])
def test_on_the_loopback_no_token_is_needed(bind: str) -> None:
    require_guard(read({"FIZZBUZZ_BIND": bind}))


@pytest.mark.parametrize("bind", ["0.0.0.0", "::", "192.0.2.1"])
def test_beyond_the_loopback_a_token_is_needed_or_a_word_that_it_is_not(bind: str) -> None:
    with pytest.raises(SettingsError, match=f"^FIZZBUZZ_BIND={bind} .*FIZZBUZZ_OPEN=1"):
        require_guard(read({"FIZZBUZZ_BIND": bind}))
    require_guard(read({"FIZZBUZZ_BIND": bind, "FIZZBUZZ_OPEN": "1"}))
    require_guard(read({"FIZZBUZZ_BIND": bind, "FIZZBUZZ_API_TOKEN": OLD}))


def test_a_file_is_read_again_once_it_changed(tmp_path: Path) -> None:
    file, clock = tmp_path / "tokens", Clock()
    file.write_text(OLD)
    source = TokenSource(parse(OLD), file, clock)
    file.write_text(f"{NEW}\n")
    clock.now_s = 2
    assert source.current == (Token("", NEW),)


def test_a_process_that_begins_later_has_the_tokens_of_the_file(tmp_path: Path) -> None:
    """As one that replaces another: what it is passed was read when the service started."""
    file = tmp_path / "tokens"
    file.write_text(NEW)
    assert TokenSource(parse(OLD), file, Clock()).current == (Token("", NEW),)


def test_a_file_that_can_be_read_later_is_read_though_it_did_not_change(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, clock = tmp_path / "tokens", Clock()
    file.write_text(NEW)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_text", raise_permission_error)
        source = TokenSource(parse(OLD), file, clock)
        for clock.now_s in (0, 2, 4):
            assert source.current == (Token("", OLD),)
    clock.now_s = 6
    assert source.current == (Token("", NEW),)
    assert caplog.text.count("the tokens are unchanged") == 1


def raise_permission_error(_: Path) -> str:
    raise PermissionError(13, "Permission denied")


@pytest.mark.parametrize("content", [b"", b"short", b"\xff\xfe"])
def test_a_file_that_became_invalid_changes_nothing_until_it_is_valid(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    file, clock = tmp_path / "tokens", Clock()
    file.write_text(OLD)
    source = TokenSource(parse(OLD), file, clock)
    file.write_bytes(content)
    for clock.now_s in (2, 4, 6):
        assert source.current == (Token("", OLD),)
    assert caplog.text.count("the tokens are unchanged") == 1
    file.unlink()
    clock.now_s = 8
    assert source.current == (Token("", OLD),)
    file.write_text(f"{NEW}\n")
    clock.now_s = 10
    assert source.current == (Token("", NEW),)
