"""Every key that the product uses in Redis, once. Standard library only: the launcher reads it too.

Keys of RQ's own have RQ's form; ``tests/queue/test_rq_compatibility.py`` compares them with RQ.

A Lua script is passed each key that its caller knows, in ``KEYS``. RQ's keys of single jobs, executions and
workers follow from ids that often are known only inside a script (an id on a list, the worker that a hash
names), so the worker's scripts build them from the prefixes below (``LUA_PREFIXES``). This is why the queue
needs one Redis server, not a Redis Cluster, which requires every key of a script in ``KEYS``.
"""

QUEUE = "messages"
"""RQ's name of the queue."""

RQ_QUEUE = f"rq:queue:{QUEUE}"
"""List: the ids of the jobs that wait."""

RQ_QUEUES = "rq:queues"
"""Set: the keys of all queues."""

RQ_INTERMEDIATE = f"{RQ_QUEUE}:intermediate"
"""List: the ids of the jobs that a worker has dequeued and not started."""

RQ_STARTED = f"rq:wip:{QUEUE}"
"""Sorted set: the jobs that are being run, as ``job_id:execution_id``."""

RQ_SCHEDULED = f"rq:scheduled:{QUEUE}"
"""Sorted set: the ids of the jobs that RQ's own worker retries later."""

RQ_FAILED = f"rq:failed:{QUEUE}"
"""Sorted set: the ids of the jobs that failed for good."""

RQ_WORKERS = "rq:workers"
RQ_QUEUE_WORKERS = f"rq:workers:{QUEUE}"
"""Sets: the keys of the registered workers, of all queues and of this one."""

RQ_SUSPENDED = "rq:suspended"
"""Exists while ``rq suspend`` is in effect."""

RQ_JOB = "rq:job:"
"""Prefix, then the job's id. Hash: a job."""

RQ_RESULTS = "rq:results:"
"""Prefix, then the job's id. Stream: how its runs ended."""

RQ_EXECUTIONS = "rq:executions:"
"""Prefix, then the job's id. Sorted set: the ids of its executions."""

RQ_EXECUTION = "rq:execution:"
"""Prefix, then ``job_id:execution_id``. Hash: one execution of a job."""

RQ_WORKER = "rq:worker:"
"""Prefix, then the worker's name. Hash: a registered worker."""

RQ_WORKER_EXECUTIONS = ":executions"
"""Suffix of a worker's key. Set: the executions that it runs, as ``job_id:execution_id``."""

LEDGER_RUN = "fizzbuzz:ledger:"
"""Prefix, then a run. Hash: ``accepted`` messages, the ``highest`` number, and the first and last arrival
(``first_ns``, ``last_ns``) of what was accepted since the entry exists."""

RUN = "fizzbuzz:run:"
"""Prefix, then a run. Hash: owner, clock offset and number of duplicates; see ``run``."""

LUA_PREFIXES = f"""
local LEDGER_RUN, RUN = '{LEDGER_RUN}', '{RUN}'
local JOB, RESULTS = '{RQ_JOB}', '{RQ_RESULTS}'
local EXECUTIONS, EXECUTION = '{RQ_EXECUTIONS}', '{RQ_EXECUTION}'
local WORKER, WORKER_EXECUTIONS = '{RQ_WORKER}', '{RQ_WORKER_EXECUTIONS}'
"""
"""The prefixes as Lua's local variables, for scripts that learn ids only while they run."""

WAITING = "fizzbuzz:waiting"
"""Integer: messages that are accepted and neither stored nor failed, over all runs."""

WAITING_RUNS, FAILED_RUNS = "fizzbuzz:waiting_runs", "fizzbuzz:failed_runs"
"""Hashes: the messages that wait, or that failed, by run; a run without any has no field."""

LEDGER = "fizzbuzz:ledger"
"""Hash: ``accepted`` and ``failed`` messages over all runs, and ``baseline``, the messages that were there
before ``accepted`` was counted."""

COUNTED = (WAITING, LEDGER, WAITING_RUNS, FAILED_RUNS)
"""The keys that scripts count messages in (``pipeline.queue.ledger_scripts``)."""

JOBS = (RQ_QUEUE, RQ_INTERMEDIATE, RQ_STARTED, RQ_SCHEDULED, RQ_FAILED)
"""Where ids of jobs are."""

LEDGER_RUNS = "fizzbuzz:ledger_runs"
"""Sorted set: the runs that have an entry in the ledger, by the arrival of their last accepted message."""

STATES = "fizzbuzz:states"
"""Hash: the state that each service last reported, as JSON, by its name."""

REPLICATION_CHECK = "fizzbuzz:replication_check"
"""Integer: counted up once a second by consumers that wait for replicas, to see whether these have it."""

LOST_JOBS = "fizzbuzz:lost_jobs"
"""Hash: jobs whose id was on a list and whose content Redis no longer had, each with when it was noticed."""

EVENTS = "fizzbuzz:events"
"""Sorted set: the last events of the page's log, as JSON, by when they happened."""

EVENTS_WRITER = "fizzbuzz:events_writer"
"""String: the replica of the web service that writes the event log; it expires."""

RETIRED = ("fizzbuzz:duplicates", "fizzbuzz:clocks", "fizzbuzz:started")
"""Keys of earlier versions, which never deleted them."""

ALL_OF_RQ, ALL_OF_OURS = "rq:*", "fizzbuzz:*"
WRITTEN_BY_WEB = ("fizzbuzz:events*", "fizzbuzz:ledger")
"""Patterns of keys, for the rights of Redis's users (``pipeline.queue.users``). The web service writes its
event log and, in the ledger, its baseline."""

CHANNELS = "rq:pubsub:*"
"""Pattern of the channels by which RQ's own worker is sent commands."""


def rq_job(job_id: str) -> str:
    """Hash: a job."""
    return f"{RQ_JOB}{job_id}"


def rq_worker(name: str) -> str:
    """Hash: a registered worker."""
    return f"{RQ_WORKER}{name}"


def rq_worker_executions(name: str) -> str:
    """Set: the executions that a worker runs."""
    return f"{RQ_WORKER}{name}{RQ_WORKER_EXECUTIONS}"


def run(name: str) -> str:
    """Hash of what is known of a run; it expires with the dedupe window after the run's last message."""
    return f"{RUN}{name}"


def ledger_run(name: str) -> str:
    """Hash: the entry of a run in the ledger."""
    return f"{LEDGER_RUN}{name}"


ARRIVALS_BLOCK = 100
"""Numbers that share one hash of the registry: small enough for Redis's compact form of a hash."""

DROPPED = "dropped:"
"""In that hash, before the number's field: the message failed and was deleted by a user."""


def arrivals(run_name: str, block: int) -> str:
    """Hash: the first arrival of each message of a block of numbers; it expires with the dedupe window."""
    return f"{arrivals_prefix(run_name)}{block}"


def arrivals_prefix(run_name: str) -> str:
    """What the keys of all blocks of a run begin with; a run's name has no character special to SCAN."""
    return f"fizzbuzz:arrival:{run_name}:"
