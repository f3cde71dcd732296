"""The addresses of the web service."""

from flask import Flask, Response, redirect, render_template, request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from pipeline.clock import NS_PER_S, Clock
from web import answers, text
from web.live import Live, encode
from web.sse import HEADERS, last_event_id
from web.stream import stream

READY_S = 5
"""A newest reading older than this means that the reader is stuck."""


def create(live: Live, clock: Clock) -> Flask:
    """The app that shows ``live``."""
    app = Flask(__name__, static_url_path="/fizzbuzz/static")
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
    app.jinja_env.filters.update(text.FILTERS)
    app.after_request(answers.guard)
    app.register_error_handler(HTTPException, answers.refuse)
    _add_page(app, live)
    _add_operations(app, live, clock)
    return app


def _add_page(app: Flask, live: Live) -> None:
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
    def metrics() -> Response:
        return Response(generate_latest(), content_type=CONTENT_TYPE_LATEST)


def _json(body: bytes) -> Response:
    return Response(body, content_type="application/json", headers={"Cache-Control": "no-store"})
