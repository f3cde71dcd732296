"""The SQLite file is moved away, put back, deleted or restored while the system runs: nothing is lost."""

import shutil
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from pipeline.store import StoreUnavailable, Totals
from pipeline.store.sqlite_connection import FileGone, SqliteConnection
from tests.support.batches import NOON_NS, batch
from tests.support.store_process import StoreProcess

Open = Callable[[], StoreProcess]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "messages.db"


@pytest.fixture
def start(path: Path) -> Iterator[Open]:
    """Starts a process that has the store, as a worker and the web service have it."""
    started: list[StoreProcess] = []

    def start_one() -> StoreProcess:
        started.append(StoreProcess(path))
        return started[-1]

    yield start_one
    for store in started:
        store.kill()


def put(store: StoreProcess, numbers: Iterable[int]) -> None:
    for number in numbers:
        store.write([batch([number], at_ns=NOON_NS + number)])


def stored(store: StoreProcess) -> int:
    return store.totals().stored


def rows(path: Path) -> int:
    """As any other client counts them."""
    with closing(sqlite3.connect(path)) as client:
        return int(client.execute("SELECT count(*) FROM message").fetchone()[0])


def files(path: Path) -> list[Path]:
    return [
        found for suffix in ("", "-wal", "-shm") if (found := path.with_name(path.name + suffix)).exists()
    ]


def move(found: Iterable[Path], folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for file in found:
        file.rename(folder / file.name)


def test_a_reader_creates_nothing_and_sees_an_empty_database_where_there_never_was_one(
    path: Path, start: Open
) -> None:
    reader = start()
    assert reader.totals() == Totals(0, None, None, ())
    assert not path.parent.exists()
    put(start(), range(3))
    assert stored(reader) == 3


def test_a_file_that_another_process_is_just_creating_is_an_empty_database_to_a_reader(
    path: Path, start: Open
) -> None:
    path.parent.mkdir()
    path.touch()
    assert stored(start()) == 0
    with closing(sqlite3.connect(path)) as creator:
        creator.execute("PRAGMA journal_mode = WAL")
        assert path.stat().st_size > 0
        assert stored(start()) == 0
    put(start(), range(3))
    assert stored(start()) == 3


@pytest.mark.parametrize("moved", ["database", "database and log"])
def test_nothing_is_lost_while_the_file_is_missing_and_every_process_is_restarted(
    path: Path, start: Open, tmp_path: Path, moved: str
) -> None:
    writer = start()
    put(writer, range(10))
    move([path] if moved == "database" else files(path), tmp_path / "away")
    for process in (writer, start(), start()):
        with pytest.raises(StoreUnavailable, match="No such file"):
            stored(process)
        with pytest.raises(StoreUnavailable, match="No such file"):
            put(process, [10])
    assert not path.exists()
    move((tmp_path / "away").iterdir(), path.parent)
    put(writer, range(10, 20))
    assert stored(writer) == stored(start()) == rows(path) == 20


def test_nothing_is_lost_when_a_killed_writers_file_is_moved_away_without_its_log(
    path: Path, start: Open, tmp_path: Path
) -> None:
    writer = start()
    put(writer, range(10))
    writer.kill()
    assert path.with_name("messages.db-wal").stat().st_size > 0
    move([path], tmp_path / "away")
    with pytest.raises(StoreUnavailable):
        stored(start())
    path.touch()  # as a client does that opens what is not there
    for call in (stored, lambda store: put(store, [10])):
        with pytest.raises(StoreUnavailable, match="empty"):
            call(start())
    (tmp_path / "away" / path.name).rename(path)
    put(start(), range(10, 20))
    assert stored(start()) == rows(path) == 20


def test_another_database_that_lies_where_ours_was_is_left_alone(path: Path, start: Open) -> None:
    put(start(), range(3))
    for file in files(path):
        file.unlink()
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE other (text)")
        other.commit()
    for call in (stored, lambda store: put(store, [3])):
        with pytest.raises(StoreUnavailable, match="no table of messages"):
            call(start())
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("other",)]


def test_who_deletes_all_of_it_gets_an_empty_database(path: Path, start: Open) -> None:
    put(start(), range(3))
    shutil.rmtree(path.parent)
    put(start(), range(2))
    assert rows(path) == 2


def test_a_running_process_does_not_follow_when_the_whole_folder_goes(
    path: Path, start: Open, tmp_path: Path
) -> None:
    writer = start()
    put(writer, range(10))
    path.parent.rename(tmp_path / "away")
    with pytest.raises(StoreUnavailable):
        put(writer, [10])
    assert not path.parent.exists()
    (tmp_path / "away").rename(path.parent)
    put(writer, [10])
    assert rows(path) == 11


@pytest.mark.parametrize("gone", ["-wal", "-shm"])
@pytest.mark.parametrize("comes_back", [False, True])
def test_nothing_is_lost_when_a_log_goes_alone(
    path: Path, start: Open, tmp_path: Path, gone: str, comes_back: bool
) -> None:
    writer, reader = start(), start()
    put(writer, range(10))
    assert stored(reader) == 10
    move([path.with_name(path.name + gone)], tmp_path / "away")
    with suppress(StoreUnavailable):  # until the next write
        stored(start())  # the web service restarts meanwhile
    put(writer, range(10, 20))
    assert stored(start()) == stored(reader) == 20
    if comes_back:
        (tmp_path / "away" / (path.name + gone)).replace(path.with_name(path.name + gone))
    put(writer, range(20, 30))
    assert stored(reader) == stored(start()) == 30
    writer.stop()
    reader.stop()
    put(start(), range(30, 40))
    assert stored(start()) == rows(path) == 40


def test_a_stop_saves_what_a_lost_log_held(path: Path, start: Open) -> None:
    writer, reader = start(), start()
    put(writer, range(10))
    stored(reader)
    path.with_name("messages.db-wal").unlink()
    writer.stop()
    reader.stop()
    assert stored(start()) == rows(path) == 10


@pytest.fixture
def backup(path: Path, start: Open) -> Path:
    """A copy of the database as it was with ten messages; now it has sixty."""
    writer = start()
    put(writer, range(10))
    copy = path.with_name("backup.db")
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    put(writer, range(10, 60))
    writer.stop()
    return copy


@pytest.mark.parametrize("how", ["moved over it", "copied into it", "deleted and copied"])
@pytest.mark.parametrize("running", [True, False])
def test_totals_follow_a_database_that_was_restored_from_an_older_copy(
    path: Path, start: Open, backup: Path, how: str, running: bool
) -> None:
    reader, writer = start(), start()
    assert stored(reader) == 60
    put(writer, [60])
    if not running:
        writer.stop()
    if how == "deleted and copied":
        path.unlink()
    for log in files(path)[-2:]:
        log.unlink()
    if how == "moved over it":
        backup.replace(path)
    else:
        shutil.copyfile(backup, path)
    assert (stored(reader), reader.totals().highest) == (10, 9)
    put(writer if running else start(), [100])
    assert (stored(reader), reader.totals().highest) == (11, 100)
    assert rows(path) == 11
    with closing(sqlite3.connect(path)) as client:
        assert client.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_what_only_the_log_of_the_replaced_database_held_does_not_get_into_a_restored_one(
    path: Path, start: Open, backup: Path
) -> None:
    writer = start()
    put(writer, range(100, 160))
    for log in files(path)[-2:]:
        log.unlink()
    shutil.copyfile(backup, path)
    put(writer, [200])
    assert stored(writer) == rows(path) == 11


@pytest.mark.parametrize(("gone", "is_saved"), [("-wal", True), ("-shm", False)])
def test_a_commit_whose_log_or_index_went_meanwhile_is_saved_or_to_be_repeated(
    path: Path, gone: str, is_saved: bool
) -> None:
    path.parent.mkdir()
    connection = SqliteConnection(path, create=True)
    connection.sql.execute("CREATE TABLE other (text)")
    assert connection.verify_commit()
    connection.sql.execute("INSERT INTO other VALUES ('last')")
    path.with_name(path.name + gone).unlink()
    if is_saved:
        assert not connection.verify_commit()
        with closing(sqlite3.connect(path)) as client:
            assert client.execute("SELECT text FROM other").fetchall() == [("last",)]
    else:
        with pytest.raises(FileGone):
            connection.verify_commit()
    connection.close()


def test_totals_follow_a_database_that_is_restored_by_sqlite_itself(
    path: Path, start: Open, backup: Path
) -> None:
    reader, writer = start(), start()
    put(writer, [60])
    assert stored(reader) == 61
    with closing(sqlite3.connect(backup)) as source, closing(sqlite3.connect(path)) as target:
        source.backup(target)
    assert stored(reader) == 10
    put(writer, [100])
    assert stored(reader) == rows(path) == 11


def test_totals_follow_what_another_program_deletes(path: Path, start: Open) -> None:
    writer, reader = start(), start()
    writer.write([batch(range(5), run="a")])
    writer.write([batch(range(50), run="b", at_ns=NOON_NS + 1)])
    assert (stored(reader), reader.totals().highest) == (55, 49)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("DELETE FROM run WHERE id = 'b'")
    assert (stored(reader), reader.totals().highest) == (5, 4)
    assert [run.run for run in reader.totals().runs] == ["a"]


def test_a_database_of_the_version_before_is_counted_and_written_on(path: Path, start: Open) -> None:
    put(start(), range(10))
    for file in path.parent.glob("*-created"):
        file.unlink()
    with closing(sqlite3.connect(path, isolation_level=None)) as old:
        for trigger in ("run_added", "run_changed", "run_deleted"):
            old.execute(f"DROP TRIGGER {trigger}")
        old.execute("DROP INDEX run_by_first_arrival")
        old.execute("DROP TABLE total")
        old.execute("PRAGMA user_version = 0")
    assert stored(start()) == 10  # also where only the page was started
    put(start(), range(10, 20))
    assert stored(start()) == 20
    path.unlink()
    with pytest.raises(StoreUnavailable):  # it is marked now
        put(start(), [20])
