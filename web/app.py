"""The addresses of the web service."""

from collections.abc import Collection

from flask import Flask, Response, redirect, render_template, request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from pipeline.clock import NS_PER_S, Clock
from pipeline.hosts import allowed
from web import answers, metrics, text
from web.limits import MAX_STREAMS
from web.live import Live, encode
from web.sse import HEADERS, last_event_id
from web.stream import stream

READY_S = 5
"""A newest reading older than this means that the reader is stuck."""

AGAIN_S = 5
"""A client that finds no room for its stream is asked to wait for so long."""


def create(
    live: Live,
    clock: Clock,
    *,
    bind: str = "127.0.0.1",
    hosts: Collection[str] = (),
    max_streams: int = MAX_STREAMS,
) -> Flask:
    """The app that shows ``live``.

    Args:
        clock: tells how old a reading is.
        bind: the address that the server listens on.
        hosts: further hosts by which it may be addressed.
        max_streams: how many streams may be open at once.
    """
    app = Flask(__name__, static_url_path="/fizzbuzz/static")
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
    app.jinja_env.filters.update(text.FILTERS)
    app.before_request(lambda: _refuse_unknown_host(bind, hosts))
    app.after_request(answers.guard)
    app.register_error_handler(HTTPException, answers.refuse)
    _add_page(app, live, max_streams)
    _add_operations(app, live, clock)
    return app


def _refuse_unknown_host(bind: str, hosts: Collection[str]) -> Response | None:
    if allowed(request.headers.get("Host"), bind, hosts):
        return None
    detail = "This host is not known here; the setting FIZZBUZZ_HOSTS names those that are."
    return answers.problem(421, "Misdirected Request", detail)


def _add_page(app: Flask, live: Live, max_streams: int) -> None:
    @app.get("/")
    @app.get("/fizzbuzz")
    def home() -> AnyResponse:
        return redirect("/fizzbuzz/")

    @app.get("/fizzbuzz/")
    def page() -> Response:
        html = render_template(
            "page.html", stats=live.stats, detail=live.detail, hops=text.HOPS, bounds=text.bounds()
        )
        return Response(html, content_type="text/html; charset=utf-8", headers={"Cache-Control": "no-store"})

    @app.get("/fizzbuzz/stats")
    def stats() -> Response:
        return _json(encode(live.stats))

    @app.get("/fizzbuzz/stream")
    def events() -> Response:
        if live.streams >= max_streams:
            metrics.REFUSED_STREAMS.inc()
            refusal = answers.problem(503, "Service Unavailable", f"{max_streams} streams are open")
            refusal.headers["Retry-After"] = str(AGAIN_S)
            return refusal
        last_id = last_event_id(request.headers.get("Last-Event-ID"))
        body = stream(live, last_id, detailed=request.args.get("detail") == "1")
        return Response(body, content_type="text/event-stream; charset=utf-8", headers=HEADERS)


def _add_operations(app: Flask, live: Live, clock: Clock) -> None:
    @app.get("/healthz")
    def healthz() -> Response:
        return _json(b'{"status":"ok"}')

    @app.get("/readyz")
    def readyz() -> Response:
        if clock() - live.newest.at_ns > READY_S * NS_PER_S:
            return answers.problem(503, "Service Unavailable", "no reading for a while")
        if live.newest.error:
            return answers.problem(503, "Service Unavailable", live.newest.error)
        return _json(b'{"status":"ready"}')

    @app.get("/metrics")
    def exposition() -> Response:
        return Response(generate_latest(), content_type=CONTENT_TYPE_LATEST)


def _json(body: bytes) -> Response:
    return Response(body, content_type="application/json", headers={"Cache-Control": "no-store"})
