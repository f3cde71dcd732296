import io

import pytest

from launcher.progress import Progress


def test_where_there_is_no_terminal_a_few_lines_tell_how_far_it_is() -> None:
    out = io.StringIO()
    with Progress("installing", 40, out) as progress:
        for _ in range(39):
            progress.step("a package")
    lines = out.getvalue().splitlines()
    assert lines[0] == "installing: 0 of 40"
    assert lines[-1] == "installing: 40 of 40"
    assert len(lines) == 5


def test_on_a_terminal_one_line_is_drawn_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr(out, "isatty", lambda: True)
    with Progress("installing", 2, out) as progress:
        progress.step("flask")
    assert out.getvalue().count("\n") == 1
    assert "1/2 flask" in out.getvalue()


def test_what_fails_is_not_shown_as_done() -> None:
    out = io.StringIO()
    with pytest.raises(ValueError, match="no"), Progress("installing", 2, out):
        raise ValueError("no")
    assert "2 of 2" not in out.getvalue()
