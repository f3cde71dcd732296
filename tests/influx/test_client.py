"""Whatever a server, a proxy or a broken connection does, but InfluxDB's own refusal, is 'unavailable'."""

from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from pipeline.settings import Influx
from pipeline.store import MessageRejected, StoreUnavailable
from pipeline.store.influx import InfluxStore
from tests.support.batches import batch

JSON_REFUSAL = b'{"code": "invalid", "message": "unable to parse"}'
HTML = b"<html>\n<body>no route</body></html>"


@dataclass
class Impostor:
    """An HTTP server that gives one and the same answer to everything."""

    status: int = 204
    body: bytes = b""
    retry_after: str = ""
    length: int | None = None
    """The length that it announces, where that is not the body's."""

    def serve(self) -> ThreadingHTTPServer:
        impostor = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(impostor.status, "Some reason")
                if impostor.retry_after:
                    self.send_header("Retry-After", impostor.retry_after)
                if impostor.status != 204:
                    length = len(impostor.body) if impostor.length is None else impostor.length
                    self.send_header("Content-Length", str(length))
                self.end_headers()
                self.wfile.write(impostor.body)

            def log_message(self, *_: object) -> None:
                """Nothing to say."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        return server


@pytest.fixture
def impostor() -> Impostor:
    return Impostor()


@pytest.fixture
def settings(impostor: Impostor) -> Iterator[Influx]:
    server = impostor.serve()
    yield Influx(f"http://127.0.0.1:{server.server_port}", "token", "org", "bucket")
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (522, b"", "answered 522"),
        (599, HTML, "answered 599: .*no route"),
        (502, b"\xff\xfe", "Influx"),
        (500, JSON_REFUSAL, "answered 500 Internal Server Error: unable to parse"),
        (301, b"", "answered 301 Moved Permanently"),
        (400, HTML, "answered 400 Bad Request: .*no route"),
        (422, b"", "answered 422"),
        (401, JSON_REFUSAL, "INFLUXDB_TOKEN"),
        (200, HTML, "."),
    ],
)
def test_an_answer_that_is_no_refusal_of_the_data_is_unavailable(
    impostor: Impostor, settings: Influx, status: int, body: bytes, reason: str
) -> None:
    impostor.status, impostor.body = status, body
    store = InfluxStore(settings)
    with pytest.raises(StoreUnavailable, match=reason) as write:
        store.write([batch([0])])
    for read in (lambda: store.changes(None), lambda: store.window(0, 1)):
        with pytest.raises(StoreUnavailable, match=settings.url):
            read()
    assert "\n" not in str(write.value)


@pytest.mark.parametrize("body", [b"error,reference\ncut off,897\n", b"result,table\nnow,0,1,2,3\n", b"\xff"])
def test_an_answer_that_is_no_table_is_unavailable(impostor: Impostor, settings: Influx, body: bytes) -> None:
    impostor.status, impostor.body = 200, body
    with pytest.raises(StoreUnavailable):
        InfluxStore(settings).window(0, 1)


def test_an_answer_that_is_cut_short_is_unavailable(impostor: Impostor, settings: Influx) -> None:
    impostor.status, impostor.body, impostor.length = 200, b"result,table\n", 500
    with pytest.raises(StoreUnavailable):
        InfluxStore(settings).window(0, 1)


@pytest.mark.parametrize(("status", "body"), [(400, JSON_REFUSAL), (422, JSON_REFUSAL), (413, HTML)])
def test_a_refusal_of_the_data_is_rejected(
    impostor: Impostor, settings: Influx, status: int, body: bytes
) -> None:
    impostor.status, impostor.body = status, body
    with pytest.raises(MessageRejected):
        InfluxStore(settings).write([batch([0])])


def test_the_server_may_say_when_to_come_back(impostor: Impostor, settings: Influx) -> None:
    impostor.status, impostor.retry_after = 503, "7"
    with pytest.raises(StoreUnavailable) as raised:
        InfluxStore(settings).write([batch([0])])
    assert raised.value.retry_after_s == 7


def test_a_server_without_tls_is_unavailable_to_a_client_with_it(settings: Influx) -> None:
    url = settings.url.replace("http://", "https://")
    store = InfluxStore(Influx(url, "token", "org", "bucket"))
    for call in (lambda: store.write([batch([0])]), lambda: store.changes(None)):
        with pytest.raises(StoreUnavailable, match="can't be reached: SSLError"):
            call()


def test_no_reason_shows_the_password_of_an_address() -> None:
    store = InfluxStore(Influx("http://name:secret@127.0.0.1:1/influx", "token", "org", "bucket"))
    with pytest.raises(StoreUnavailable, match=r"http://127\.0\.0\.1:1/influx") as raised:
        store.write([batch([0])])
    assert "secret" not in str(raised.value)
