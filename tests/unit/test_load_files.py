"""What ``load`` reads and writes beside the network: rows of databases, and results."""

import json
import sqlite3
import threading
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from load import report
from load.rows import Unreadable, influx, sqlite
from load.target import InfluxTarget, SqliteTarget
from tests.unit.test_load_report import make


def test_rows_of_sqlite_are_those_of_the_run(tmp_path: Path) -> None:
    path = tmp_path / "a b#c?d%e.db"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE message (run, number, sent_ns, arrived_ns)")
        database.execute("INSERT INTO message VALUES ('mine', 1, 0, 123456789), ('other', 2, 0, 5)")
    assert list(sqlite.rows(SqliteTarget(path), "mine")) == [(1, 123456789)]


@pytest.mark.parametrize("row", [("seven", 5), (7, "late"), (7.5, 5), (None, 5)])
def test_a_row_of_sqlite_that_is_no_number_is_unreadable(row: tuple[object, object], tmp_path: Path) -> None:
    path = tmp_path / "some.db"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE message (run, number, arrived_ns)")
        database.execute("INSERT INTO message VALUES ('mine', ?, ?)", row)
    with pytest.raises(Unreadable, match="no integer"):
        list(sqlite.rows(SqliteTarget(path), "mine"))


def test_a_sqlite_file_that_is_missing_is_unreadable_and_not_created(tmp_path: Path) -> None:
    path = tmp_path / "none.db"
    with pytest.raises(Unreadable, match=r"none\.db"):
        list(sqlite.rows(SqliteTarget(path), "mine"))
    assert not path.exists()


def test_rows_of_influxdb_keep_nanoseconds() -> None:
    csv = [
        ",result,table,_time,_value",
        ",_result,0,2026-01-01T00:00:00.123456789Z,7",
        ",_result,0,2026-01-01T00:00:01Z,8",
        "",
        ",result,table,_time,_value",
        ",_result,1,2026-01-01T00:00:01.5Z,9",
    ]
    second = 1_767_225_600 * 10**9
    expected = [(7, second + 123456789), (8, second + 10**9), (9, second + 1_500_000_000)]
    assert list(influx.parse(iter(csv))) == expected


class Chunks(BaseHTTPRequestHandler):
    """Answers each query with three rows, in chunks of ``size``."""

    protocol_version = "HTTP/1.1"
    size = 1
    answer = (
        b",result,table,_time,_value\r\n"
        b",_result,0,2026-01-01T00:00:00Z,1\r\n,_result,0,2026-01-01T00:00:00Z,2\r\n"
        b",_result,0,2026-01-01T00:00:00Z,3\r\n\r\n"
    )

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "text/csv")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for start in range(0, len(self.answer), self.size):
            chunk = self.answer[start : start + self.size]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        self.wfile.write(b"0\r\n\r\n")

    def log_request(self, *args: object) -> None:
        """Nothing."""


@pytest.mark.parametrize("size", [1, 28, 29, 1_000])
def test_rows_of_influxdb_are_the_same_however_the_answer_is_cut(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Chunks, "size", size)
    with ThreadingHTTPServer(("127.0.0.1", 0), Chunks) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            target = InfluxTarget(f"http://127.0.0.1:{server.server_port}", "t", "o", "b")
            assert [number for number, _ in influx.rows(target, "mine")] == [1, 2, 3]
        finally:
            server.shutdown()
            thread.join()


def test_an_error_after_the_first_rows_of_influxdb_is_not_mistaken_for_their_end() -> None:
    csv = [
        ",result,table,_time,_value",
        ",_result,0,2026-01-01T00:00:01Z,8",
        "",
        "error,reference",
        "broken,1",
    ]
    with pytest.raises(ValueError, match="broken"):
        list(influx.parse(iter(csv)))


def test_several_results_become_one_page(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text(json.dumps(make()))
    page = tmp_path / "page.html"
    assert report.main([str(tmp_path / "a"), str(tmp_path / "b"), "--html", str(page)]) == 0
    assert "2 load reports" in page.read_text()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"format": 0}',
        '{"format": 1}',
        '{"format": 1, "kind": "bench", "benchmarks": {}}',
        '{"format": 1, "kind": "load"}',
        '{"format": 1, "kind": "load", "verdict": []}',
    ],
)
def test_what_is_no_result_is_refused(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a").write_text(text)
    assert report.main([str(tmp_path / "a"), "--html", str(tmp_path / "page.html")]) == 2
    assert "is not a result" in capsys.readouterr().err
    assert not (tmp_path / "page.html").exists()


@pytest.mark.parametrize("verdict", ["<img src=x onerror=alert(1)>", "FINE", None])
def test_a_result_with_another_verdict_is_refused(verdict: str | None, tmp_path: Path) -> None:
    (tmp_path / "a").write_text(json.dumps(make() | {"verdict": verdict}))
    assert report.main([str(tmp_path / "a"), "--html", str(tmp_path / "page.html")]) == 2
    assert not (tmp_path / "page.html").exists()


def test_a_result_that_is_missing_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing, page = tmp_path / "none.json", tmp_path / "page.html"
    assert report.main([str(missing), "--html", str(page)]) == 1
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", f"report: {missing}: No such file or directory\n")
    assert not page.exists()
