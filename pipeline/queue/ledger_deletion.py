"""Takes a deleted run out of the ledger and out of the registry of arrivals."""

from redis import Redis

from pipeline.queue import keys

_CHUNK = 1_000

_SUBTRACT = """
local ledger, entry = unpack(KEYS)
-- ARGV: what is added, negative. (Before 7.2 Redis writes Lua's -0 as "-0", which HINCRBY refuses.)
redis.call('HINCRBY', ledger, 'accepted', ARGV[1])
if redis.call('HEXISTS', entry, 'accepted') == 1 then redis.call('HINCRBY', entry, 'accepted', ARGV[1]) end
"""

_FORGET = """
local ledger, entry, runs, waiting_runs, failed_runs = unpack(KEYS)
-- ARGV: the run, its last arrival. Returns 0 where there is a later one, or messages wait or have failed.
local last = redis.call('HGET', entry, 'last_ns')
if last and last ~= ARGV[2] then return 0 end
if redis.call('HEXISTS', waiting_runs, ARGV[1]) == 1 or redis.call('HEXISTS', failed_runs, ARGV[1]) == 1 then
  return 0
end
local left = redis.call('HGET', entry, 'accepted')
redis.call('DEL', entry)
redis.call('ZREM', runs, ARGV[1])
if left and left ~= '0' then redis.call('HINCRBY', ledger, 'accepted', -left) end
return 1
"""


def subtract(redis: Redis, run: str, messages: int) -> None:
    """Count messages of a run, which were deleted from the database, as never accepted.

    Raises redis.RedisError.
    """
    redis.eval(_SUBTRACT, 2, keys.LEDGER, keys.ledger_run(run), -messages)


def forget(redis: Redis, run: str, last_arrived_ns: int | None) -> bool:
    """Delete what is known of a run that has no message in the database; what was lost of it too.

    Returns False, and changes nothing, where messages of it wait or have failed, or where one was accepted
    since its ``last_arrived_ns`` was read. Raises redis.RedisError.
    """
    names = (keys.LEDGER, keys.ledger_run(run), keys.LEDGER_RUNS, keys.WAITING_RUNS, keys.FAILED_RUNS)
    if not redis.eval(_FORGET, len(names), *names, run, str(last_arrived_ns)):
        return False
    prefix = keys.arrivals_prefix(run)
    for key in redis.scan_iter(f"{prefix}*", count=_CHUNK):
        if key.removeprefix(prefix.encode()).isdigit():  # not of a run that is named RUN:more
            redis.unlink(key)
    redis.delete(keys.run(run))
    return True
