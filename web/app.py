"""The addresses of the web service, its errors and its security headers."""

import socket
from base64 import b64encode
from collections.abc import Collection, Mapping
from hashlib import sha256
from typing import Any

from flask import Flask, Response, redirect, render_template, request
from prometheus_client import CONTENT_TYPE_LATEST
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from pipeline import shared_metrics
from pipeline.clock import NS_PER_S, Clock
from pipeline.hosts import allowed
from web import formatting, lookup_routes, metrics, moments
from web.broadcaster import Broadcaster
from web.compression import GZIP
from web.lookup import Lookup
from web.open_streams import MAX_STREAMS
from web.responses import as_json, problem
from web.stream_event import Form, encode

READY_S = 5
"""A newest snapshot older than this means that the sampler is stuck."""

RETRY_AFTER_S = 5
"""A client whose stream is refused is asked to retry after this."""

RELOAD = "setTimeout(() => document.documentElement.dataset.script || location.reload(), 10000)"
"""A page whose script did not come, not even in 10 s, can't say so. It is loaded again until it does."""

_RELOAD_HASH = b64encode(sha256(RELOAD.encode()).digest()).decode()

SECURITY_HEADERS = {
    "Content-Security-Policy": f"default-src 'self'; script-src 'self' 'sha256-{_RELOAD_HASH}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""No script, style or frame from elsewhere, whatever a run's name contains."""

STREAM_HEADERS = {
    "Cache-Control": "no-cache, no-transform",
    "Vary": "Accept-Encoding",
    "X-Accel-Buffering": "no",
}
"""They ask a proxy not to buffer the stream, and not to compress or unpack what is compressed here."""


def create(  # noqa: PLR0913 - what the app serves, and what it lets in
    broadcaster: Broadcaster,
    clock: Clock,
    *,
    lookup: Lookup,
    bind: str = "127.0.0.1",
    hosts: Collection[str] = (),
    max_streams: int = MAX_STREAMS,
) -> Flask:
    """The app that serves the snapshots of ``broadcaster``.

    Args:
        clock: compared with the newest snapshot's time for ``/readyz``.
        lookup: reads single runs and messages.
        bind: the address that the server listens on.
        hosts: further hosts by which it may be addressed.
        max_streams: how many streams this process may have open at once.
    """
    app = Flask(__name__, static_url_path="/fizzbuzz/static")
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
    app.jinja_env.filters |= {"time_of_day": formatting.time_of_day, "plain": moments.plain}
    app.before_request(lambda: _refuse_unknown_host(bind, hosts))
    app.after_request(_add_security_headers)
    app.register_error_handler(HTTPException, _http_error)
    _add_page(app, broadcaster, max_streams)
    _add_operations(app, broadcaster, clock)
    lookup_routes.add(app, lookup, clock)
    return app


def _refuse_unknown_host(bind: str, hosts: Collection[str]) -> Response | None:
    if allowed(request.headers.get("Host"), bind, hosts):
        return None
    detail = "Unknown host; the setting FIZZBUZZ_HOSTS lists the hosts that are served."
    return problem(421, "Misdirected Request", detail)


def _add_page(app: Flask, broadcaster: Broadcaster, max_streams: int) -> None:
    @app.get("/")
    @app.get("/fizzbuzz")
    def home() -> AnyResponse:
        return redirect("/fizzbuzz/")

    @app.get("/fizzbuzz/")
    def page() -> Response:
        html = render_template(
            "page.html",
            stats=broadcaster.stats,
            detail=broadcaster.detail,
            hops=formatting.HOPS,
            bars=formatting.histogram_bars(),
            reload=RELOAD,
        )
        return Response(html, content_type="text/html; charset=utf-8", headers={"Cache-Control": "no-store"})

    @app.get("/fizzbuzz/stats")
    def stats() -> Response:
        return as_json(encode(broadcaster.stats))

    @app.get("/fizzbuzz/stream")
    def stream() -> Response:
        open_streams = broadcaster.open_streams
        if open_streams.here >= max_streams or open_streams.full:
            metrics.REFUSED_STREAMS.inc()
            text = "as many streams are open as are served"
            return problem(503, "Service Unavailable", text, retry_after_s=RETRY_AFTER_S)
        last_id = last_event_id(request.headers.get("Last-Event-ID"))
        form = Form(detailed=request.args.get("detail") == "1", compressed=_takes_gzip())
        body = broadcaster.stream(last_id, form, _in_chunks(request.environ))
        response = Response(body, content_type="text/event-stream; charset=utf-8", headers=STREAM_HEADERS)
        if form.compressed:
            response.headers["Content-Encoding"] = GZIP
        return response


def _takes_gzip() -> bool:
    """Whether the client prefers gzip: one that takes anything may be a program that unpacks nothing."""
    accepted = request.accept_encodings
    return bool(accepted.quality(GZIP) > accepted.quality("identity"))


def _in_chunks(environ: Mapping[str, Any]) -> socket.socket | None:
    """The connection of a request whose response gunicorn sends in chunks; None of any other."""
    plain = environ["SERVER_PROTOCOL"] == "HTTP/1.1" and environ["wsgi.url_scheme"] == "http"
    return environ.get("gunicorn.socket") if plain and environ["REQUEST_METHOD"] == "GET" else None


def _add_operations(app: Flask, broadcaster: Broadcaster, clock: Clock) -> None:
    @app.get("/healthz")
    def healthz() -> Response:
        return as_json(b'{"status":"ok"}')

    @app.get("/readyz")
    def readyz() -> Response:
        if clock() - broadcaster.newest.at_ns > READY_S * NS_PER_S:
            return problem(503, "Service Unavailable", f"no snapshot for more than {READY_S} s")
        if broadcaster.newest.error:
            return problem(503, "Service Unavailable", broadcaster.newest.error)
        return as_json(b'{"status":"ready"}')

    @app.get("/metrics")
    def exposition() -> Response:
        return Response(shared_metrics.text(), content_type=CONTENT_TYPE_LATEST)


def last_event_id(text: str | None) -> int | None:
    """The id in a Last-Event-ID header; None where there is none of ours."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= 20 else None


def _add_security_headers(response: Response) -> Response:
    response.headers.update(SECURITY_HEADERS)
    return response


def _http_error(error: HTTPException) -> Response:
    """The response where Flask refuses a request: no such path, method not allowed."""
    response = problem(error.code or 500, error.name, error.description or error.name)
    for name, value in error.get_headers():
        if name in ("Allow", "Location"):
            response.headers[name] = value
    return response
