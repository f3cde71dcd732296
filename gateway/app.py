"""The HTTP API."""

import time

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from gateway import guards, home, metrics, openapi, problems
from gateway.consumer_client import Delivery, MessageSink
from gateway.guards import Guard
from gateway.json_response import json_response
from gateway.message_json import parse, parse_clock
from gateway.problems import Problem
from gateway.request_body import MAX_BODY
from gateway.senders import NewRuns, Sender, Tokens
from pipeline.clock import to_rfc3339
from pipeline.message import ClockOffset
from pipeline.settings import Settings
from pipeline.tokens import TokenSource

REQUEST_TIMEOUT_S = 5.0
"""A request gets a response within this time after its head, whatever happens behind the gateway."""

DEADLINE = "gateway.deadline_s"
"""Key of a request's deadline in its environ, by ``time.monotonic``."""


def create(sink: MessageSink, settings: Settings) -> Flask:
    """The app in front of ``sink``."""
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    app.register_error_handler(Problem, problems.respond)
    app.register_error_handler(HTTPException, problems.respond_http)
    app.before_request(Guard(settings).check)
    app.after_request(guards.add_headers)
    handler = MessageHandler(sink, settings)

    @app.post("/messages")
    def messages() -> Response:
        gateway_ns = time.time_ns()
        started = time.perf_counter()
        try:
            response = handler.accept(gateway_ns)
        except Problem as problem:
            response = problems.respond(problem)
        except HTTPException as error:
            response = problems.respond_http(error)
        metrics.REQUESTS.labels(response.status_code).inc()
        metrics.REQUEST_SECONDS.observe(time.perf_counter() - started)
        return response

    _add_descriptions(app, handler)
    _add_operations(app, sink)
    return app


def _add_descriptions(app: Flask, handler: "MessageHandler") -> None:
    @app.errorhandler(MethodNotAllowed)
    def method_not_allowed(error: MethodNotAllowed) -> Response:
        members = {"example": home.example_here(secured=handler.secured)}
        return problems.respond_http(error, members if request.path == "/messages" else {})

    @app.get("/")
    def page() -> Response:
        return home.respond(secured=handler.secured)

    @app.get("/openapi.json")
    def description() -> Response:
        return json_response(openapi.document(secured=handler.secured))


def _add_operations(app: Flask, sink: MessageSink) -> None:
    @app.get("/healthz")
    def healthz() -> Response:
        return json_response({"status": "ok"})

    @app.get("/readyz")
    def readyz() -> Response:
        if not sink.ready():
            raise Problem(503, "the consumer or its queue does not accept messages now")
        return json_response({"status": "ready"})

    @app.get("/metrics")
    def metrics_text() -> Response:
        return Response(metrics.text(), content_type="text/plain; version=0.0.4; charset=utf-8")


class MessageHandler:
    """Checks the messages of a request and forwards them to the sink."""

    def __init__(self, sink: MessageSink, settings: Settings) -> None:
        self._sink = sink
        self._tokens = Tokens(TokenSource(settings.tokens, settings.token_file))
        self._new_runs = NewRuns()
        self._trust_forwarded = settings.trust_forwarded

    @property
    def secured(self) -> bool:
        """Whether requests need a token."""
        return self._tokens.needed

    def accept(self, gateway_ns: int) -> Response:
        """Respond to the current request once its messages are persisted. Raises Problem, HTTPException."""
        sender = self._sender()
        _require_json()
        messages = parse(request.get_data(cache=False), gateway_ns)
        owner = sender.owner(request.headers.get("Run-Key"))
        self._new_runs.admit(sender, {message.run for message in messages})
        receipts = self._sink.store(Delivery(messages, _deadline_s(), _clock(messages[0].run), owner))
        duplicates = sum(receipt.duplicate for receipt in receipts)
        metrics.ACCEPTED.inc(len(receipts))
        metrics.DUPLICATES.inc(duplicates)
        answer = {
            "accepted": len(receipts),
            "duplicates": duplicates,
            "arrived_at": to_rfc3339(receipts[0].arrived_ns),
        }
        return json_response(answer, status=202)

    def _sender(self) -> Sender:
        address = request.remote_addr or ""
        if self._trust_forwarded:  # the proxy added the last one
            address = request.headers.get("X-Forwarded-For", address).rpartition(",")[2].strip()
        return self._tokens.sender(request.headers.get("Authorization", ""), address)


def _deadline_s() -> float:
    deadline_s: float = request.environ.get(DEADLINE) or time.monotonic() + REQUEST_TIMEOUT_S
    return deadline_s


def _clock(run: str) -> ClockOffset | None:
    headers = request.headers
    return parse_clock(headers.get("Clock-Offset-Ns"), headers.get("Clock-Error-Ns"), run)


def _require_json() -> None:
    if request.mimetype != "application/json" or request.content_encoding:
        raise Problem(415, "the body must be application/json, without a content coding")
