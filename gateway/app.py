"""The HTTP API."""

import gc
import hmac
import logging
import os
import time

import msgspec
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from gateway import metrics, openapi, problems
from gateway.body import parse, parse_clock
from gateway.forward import ConsumerClient, Forward
from gateway.problems import Problem
from pipeline import logs
from pipeline.clock import to_rfc3339
from pipeline.message import ClockDifference
from pipeline.orphan import exit_with_parent
from pipeline.settings import read

MAX_BODY = 1024 * 1024
"""Bytes of a request's body."""

log = logging.getLogger("gateway")


def serve() -> Flask:
    """The app as it runs in one of the server's worker processes."""
    exit_with_parent()
    settings = read(os.environ, "gateway")
    logs.setup(settings.name, settings.log_level)
    app = create(ConsumerClient(settings.consumer_address), settings.api_token)
    gc.collect()
    gc.freeze()  # the collector need not look through the libraries while a request waits
    return app


def create(forward: Forward, api_token: str = "") -> Flask:
    """The app in front of ``forward``; where ``api_token`` is not empty a request must bring it."""
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    app.register_error_handler(Problem, problems.respond)
    app.register_error_handler(HTTPException, problems.respond_http)

    @app.post("/messages")
    def messages() -> Response:
        gateway_ns = time.time_ns()
        started = time.perf_counter()
        try:
            response = _accept(forward, api_token, gateway_ns)
        except Problem as problem:
            response = problems.respond(problem)
        except HTTPException as error:
            response = problems.respond_http(error)
        metrics.REQUESTS.labels(response.status_code).inc()
        metrics.REQUEST_SECONDS.observe(time.perf_counter() - started)
        return response

    @app.get("/healthz")
    def healthz() -> Response:
        return _json({"status": "ok"})

    @app.get("/readyz")
    def readyz() -> Response:
        if not forward.ready():
            raise Problem(503, "the consumer or its queue does not accept messages now")
        return _json({"status": "ready"})

    @app.get("/metrics")
    def metrics_text() -> Response:
        return Response(metrics.text(), content_type="text/plain; version=0.0.4; charset=utf-8")

    @app.get("/openapi.json")
    def description() -> Response:
        return _json(openapi.document(secured=bool(api_token)))

    return app


def _accept(forward: Forward, api_token: str, gateway_ns: int) -> Response:
    _authorize(api_token)
    _insist_on_json()
    messages = parse(request.get_data(cache=False), gateway_ns)
    clock = _clock(messages[0].run)
    receipts = forward.store(messages, clock)
    duplicates = sum(receipt.duplicate for receipt in receipts)
    metrics.ACCEPTED.inc(len(receipts))
    metrics.DUPLICATES.inc(duplicates)
    answer = {
        "accepted": len(receipts),
        "duplicates": duplicates,
        "arrived_at": to_rfc3339(receipts[0].arrived_ns),
    }
    return _json(answer, status=202)


def _clock(run: str) -> ClockDifference | None:
    headers = request.headers
    return parse_clock(headers.get("Clock-Offset-Ns"), headers.get("Clock-Error-Ns"), run)


def _authorize(api_token: str) -> None:
    if not api_token:
        return
    given = request.headers.get("Authorization", "").encode()
    if not hmac.compare_digest(given, f"Bearer {api_token}".encode()):
        raise Problem(
            401, "a valid token is needed: Authorization: Bearer …", headers={"WWW-Authenticate": "Bearer"}
        )


def _insist_on_json() -> None:
    if request.mimetype != "application/json" or request.content_encoding:
        raise Problem(415, "the body must be application/json, without a content coding")


def _json(value: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status=status, content_type="application/json")
