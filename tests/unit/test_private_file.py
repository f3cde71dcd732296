from pathlib import Path

import pytest

from pipeline import private_file


def test_a_secret_that_can_not_be_written_is_left_in_no_draft(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match="taken"):
        private_file.write(tmp_path / "taken", "a secret")
    with pytest.raises(UnicodeEncodeError):
        private_file.write(tmp_path / "other", "\ud800")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]
