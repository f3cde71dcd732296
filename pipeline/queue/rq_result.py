"""Why a job failed, as RQ records it."""

from typing import Any, cast

from redis import Redis
from rq.results import Result
from rq.serializers import JSONSerializer

UNKNOWN = "no reason was kept"


def failure_reason(job_id: str, results: Any) -> str:
    """The reason of a failed job.

    Args:
        results: the newest entry of its stream of results, as ``XREVRANGE`` returns it.
    """
    try:
        ((result_id, payload),) = results
        result = Result.restore(job_id, result_id.decode(), payload, cast("Redis", None), JSONSerializer)
    except Exception:  # noqa: BLE001 - none, or a damaged one
        return UNKNOWN
    return (result.exc_string or "").strip() or UNKNOWN
