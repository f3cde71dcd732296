"""What a caller of the API is told for each gRPC status of the consumer's answer."""

import grpc

from gateway.problems import Problem, retry_later


def problem(error: grpc.RpcError) -> Problem:
    """The response for what the consumer, or the way to it, answered."""
    code, detail = error.code(), error.details() or ""
    if code is grpc.StatusCode.INVALID_ARGUMENT:
        return Problem(422, detail)
    if code is grpc.StatusCode.PERMISSION_DENIED:
        return Problem(409, detail)
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return retry_later(429, detail)
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return no_answer()
    return retry_later(503, f"the consumer is unavailable: {code.name}: {detail}")


def too_busy() -> Problem:
    """The response to a request that was sent in no call."""
    return retry_later(503, "too many requests are waiting: nothing was accepted")


def no_answer() -> Problem:
    """The response to a request whose outcome is not known."""
    return Problem(504, "the consumer did not respond in time; the messages may have been accepted: retry")
