"""The HTTP API."""

import time

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from gateway import home, metrics, openapi, problems
from gateway.consumer_client import Delivery, MessageSink
from gateway.guards import Guard
from gateway.lean_flask import JSON, LeanFlask, json_response
from gateway.message_json import parse, parse_clock
from gateway.new_runs import NewRuns
from gateway.problems import Problem
from gateway.senders import Tokens
from gateway.wsgi import DEADLINE, Environ
from pipeline import shared_metrics
from pipeline.clock import to_rfc3339
from pipeline.settings import Settings
from pipeline.tokens import TokenSource


def create(sink: MessageSink, settings: Settings) -> Flask:
    """The app in front of ``sink``."""
    app = LeanFlask(__name__)
    app.register_error_handler(Problem, problems.respond)
    app.register_error_handler(HTTPException, problems.respond_http)
    app.before_request(Guard(settings).check)
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

    @app.get("/static/<path:name>")
    def static(name: str) -> Response:
        return home.file(name)

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
        return Response(shared_metrics.text(), content_type="text/plain; version=0.0.4; charset=utf-8")


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
        environ: Environ = request.environ  # a header of request costs a microsecond, one in it a tenth
        address: str = environ.get("REMOTE_ADDR", "")
        if self._trust_forwarded:  # the proxy added the last one
            address = environ.get("HTTP_X_FORWARDED_FOR", address).rpartition(",")[2].strip()
        sender = self._tokens.sender(environ.get("HTTP_AUTHORIZATION", ""), address)
        _require_json(environ)
        messages = parse(environ["wsgi.input"].read(), gateway_ns)  # the server has read the whole body
        owner = sender.owner(environ.get("HTTP_RUN_KEY"))
        self._new_runs.admit(sender, {message.run for message in messages})
        offset_ns, error_ns = environ.get("HTTP_CLOCK_OFFSET_NS"), environ.get("HTTP_CLOCK_ERROR_NS")
        clock = parse_clock(offset_ns, error_ns, messages[0].run)
        receipts = self._sink.store(Delivery(messages, environ[DEADLINE], clock, owner))
        duplicates = sum(receipt.duplicate for receipt in receipts)
        metrics.ACCEPTED.inc(len(receipts))
        if duplicates:
            metrics.DUPLICATES.inc(duplicates)
        answer = {
            "accepted": len(receipts),
            "duplicates": duplicates,
            "arrived_at": to_rfc3339(receipts[0].arrived_ns),
        }
        return json_response(answer, status=202)


def _require_json(environ: Environ) -> None:
    if environ.get("CONTENT_TYPE") == JSON and not environ.get("HTTP_CONTENT_ENCODING"):
        return  # as nearly every client writes it
    if request.mimetype != JSON or request.content_encoding:
        raise Problem(415, "the body must be application/json, without a content coding")
