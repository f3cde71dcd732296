"""The addresses of single runs and messages."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from flask import Flask, Response, render_template, request

from pipeline.message import DEFAULT_RUN, InvalidMessage, Message, check
from web import responses, run_summary, trace
from web.lookup import Lookup, LookupFailed
from web.space_time import diagram
from web.trace import Trace

RETRY_AFTER_S = 2


def add(app: Flask, lookup: Lookup, clock: Callable[[], int]) -> None:
    """Add the routes to ``app``."""

    @app.get("/fizzbuzz/runs")
    def runs() -> Response:
        return _answer({"runs": [run_summary.as_json(run) for run in lookup.runs()]})

    @app.get("/fizzbuzz/runs/<run>")
    def one_run(run: str) -> Response:
        _check(run, 0)
        found = lookup.run(run)
        if found is None:
            return responses.problem(404, "Not Found", "this run is unknown")
        return _answer(run_summary.as_json(found))

    @app.get("/fizzbuzz/messages/<run>/<number>")
    def message(run: str, number: str) -> Response:
        found = lookup.message(run, _check(run, _whole(number)))
        status = 404 if found.state == trace.UNKNOWN else 200
        if request.accept_mimetypes.best_match(["application/json", "text/html"]) == "text/html":
            response = _page(found, clock())
        else:
            response = _answer(trace.as_json(found))
        response.status_code = status
        response.headers["Vary"] = "Accept"
        return response

    app.register_error_handler(LookupFailed, _failed)
    app.register_error_handler(InvalidMessage, _invalid)


def _check(run: str, number: int) -> int:
    """Returns ``number``. Raises InvalidMessage where no message can have this name."""
    return check(Message(run or DEFAULT_RUN, number, 0)).number


def _whole(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) <= 16:
        return int(text)
    raise InvalidMessage("number must be a whole number")


def _page(found: Trace, now_ns: int) -> Response:
    html = render_template(
        "message.html", trace=found, data=trace.as_json(found), diagram=diagram(found, now_ns)
    )
    return Response(html, content_type="text/html; charset=utf-8", headers={"Cache-Control": "no-store"})


def _answer(body: Mapping[str, Any]) -> Response:
    return responses.as_json(json.dumps(body, separators=(",", ":")).encode())


def _failed(error: LookupFailed) -> Response:
    return responses.problem(503, "Service Unavailable", str(error), retry_after_s=RETRY_AFTER_S)


def _invalid(error: InvalidMessage) -> Response:
    return responses.problem(422, "Unprocessable Content", str(error))
