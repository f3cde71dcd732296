"""A pipeline of Redis commands that costs little each time."""

from dataclasses import dataclass
from functools import cache
from hashlib import sha1
from typing import Any

from redis import Redis
from redis.client import Pipeline
from redis.exceptions import ResponseError


@dataclass(frozen=True, slots=True)
class Packed:
    """Commands as they are sent."""

    count: int
    chunks: list[bytes]


class QueuePipeline(Pipeline):
    """Has a connection of its own, sends a script's digest instead of its text, and can send commands again.

    The pool polls a connection each time that it is requested, with gevent's ``poll``. This, what else a
    pipeline of redis-py does, and the texts were half of a reading's 0.9 ms; to pack the commands, 0.05 ms.
    """

    by_digest = True

    def __init__(self, redis: Redis) -> None:
        super().__init__(redis.connection_pool, {}, transaction=False, shard_hint=None)
        self._own: Any = redis.connection_pool.make_connection()

    def eval(self, script: str, numkeys: int, *arguments: Any) -> Any:
        if self.by_digest:
            return self.evalsha(_digest(script), numkeys, *arguments)
        return super().eval(script, numkeys, *arguments)

    def pack(self) -> Packed:
        """The commands that were queued."""
        commands = [arguments for arguments, _ in self.command_stack]
        return Packed(len(commands), self._own.pack_commands(commands))

    def exchange(self, packed: Packed) -> list[Any]:
        """The answer to each command, which may be an error."""
        result: list[Any] = self._own.retry.call_with_retry(
            lambda: self._exchange(packed), lambda _: self._own.disconnect()
        )
        return result

    def _exchange(self, packed: Packed) -> list[Any]:
        self._own.connect()  # where it is not: by sending alone it would not ask Sentinel for the primary
        self._own.send_packed_command(packed.chunks)
        return [self._answer() for _ in range(packed.count)]

    def _answer(self) -> Any:
        try:
            return self._own.read_response()
        except ResponseError as error:
            return error


@cache
def _digest(script: str) -> str:
    return sha1(script.encode(), usedforsecurity=False).hexdigest()
