"""The response of the API to each gRPC status of the consumer's answer."""

import logging

import grpc

from gateway.problems import Problem, retry_later
from gateway.throttle import Throttle

_TOO_MANY_CALLS = "Concurrent RPC limit exceeded!"
"""gRPC's own text where a server has as many calls as it may."""

_logged = Throttle(per_minute=12, burst=5)

log = logging.getLogger(__name__)


def problem(error: grpc.RpcError) -> Problem:
    """The response for an error of the consumer, or of the connection to it."""
    code, detail = error.code(), error.details() or ""
    if code is grpc.StatusCode.INVALID_ARGUMENT:
        return Problem(422, detail)
    if code is grpc.StatusCode.PERMISSION_DENIED:
        return Problem(409, detail)
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        busy = detail == _TOO_MANY_CALLS
        return retry_later(429, "too many requests at a time: nothing was accepted" if busy else detail)
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return no_answer()
    # What gRPC and Redis say names addresses inside the system: it is for the log.
    if not _logged.acquire(code.name):
        log.warning("the consumer did not accept messages: %s", detail, extra={"status": code.name})
    return retry_later(503, "the consumer or its queue is unavailable: send the messages again")


def too_busy() -> Problem:
    """The response to a request that was sent in no call."""
    return retry_later(503, "too many requests are waiting: nothing was accepted")


def no_answer() -> Problem:
    """The response to a request whose outcome is not known."""
    return Problem(504, "the consumer did not respond in time; the messages may have been accepted: retry")
