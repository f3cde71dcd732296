"""What an error of Redis means for those who send."""

import pytest
from redis import RedisError
from redis.exceptions import ExecAbortError, OutOfMemoryError

from consumer.rejections import ForeignRun, QueueFull, QueueOutOfMemory, QueueUnavailable, explained

OOM = "OOM command not allowed when used memory > 'maxmemory'."


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OutOfMemoryError(OOM), QueueOutOfMemory),
        (ExecAbortError(f"Transaction discarded: {OOM}"), QueueOutOfMemory),
        (ExecAbortError("Transaction discarded because of previous errors."), QueueUnavailable),
        (RedisError("READONLY You can't write against a read only replica."), QueueUnavailable),
        (ConnectionRefusedError("refused"), QueueUnavailable),
    ],
)
def test_only_a_redis_without_memory_is_a_full_queue(error: RedisError | OSError, kind: type) -> None:
    assert type(explained(error)) is kind
    assert issubclass(QueueOutOfMemory, QueueFull)


def test_the_reason_is_redis_s_own_without_the_command_and_not_endless() -> None:
    long = f"Command # 1 (EVALSHA {'x' * 9_000}) of pipeline caused error: {OOM}{'!' * 9_000}"
    text = str(explained(OutOfMemoryError(long)))
    assert text.startswith(f"Redis has no memory left: {OOM}!")
    assert "EVALSHA" not in text
    assert len(text) < 300


def test_a_foreign_run_names_the_first_run_by_its_name() -> None:
    assert str(ForeignRun([("b", ""), ("a", "x")])) == "the run a belongs to another sender"
    assert str(ForeignRun([])) == "no run"
