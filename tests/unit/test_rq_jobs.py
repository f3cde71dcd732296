"""What RQ's keys hold, as Redis answers."""

import pytest
from redis.exceptions import ResponseError

from worker.rq_jobs import sound


def test_a_key_of_another_kind_is_nothing_and_any_other_error_is_raised() -> None:
    assert sound({b"status": b"queued"}) == {b"status": b"queued"}
    assert sound(ResponseError("WRONGTYPE Operation against a key holding the wrong kind of value")) is None
    for error in (ResponseError("OOM command not allowed"), ConnectionError("WRONGTYPE")):
        with pytest.raises(type(error)):
            sound(error)
