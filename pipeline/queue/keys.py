"""Every key that the product has in Redis, once. RQ's own are in RQ's form."""

QUEUE = "messages"
"""RQ's name of the queue."""

RQ_QUEUE = f"rq:queue:{QUEUE}"
"""List: the ids of the jobs that wait."""

RQ_INTERMEDIATE = f"{RQ_QUEUE}:intermediate"
"""List: the ids of the jobs that a worker has dequeued and not started."""

RQ_STARTED = f"rq:wip:{QUEUE}"
"""Sorted set: the jobs that are being run, as ``job_id:execution_id``."""

RQ_FAILED = f"rq:failed:{QUEUE}"
"""Sorted set: the ids of the jobs that failed for good."""

RQ_WORKERS = "rq:workers"
RQ_QUEUE_WORKERS = f"rq:workers:{QUEUE}"
"""Sets: the keys of the registered workers, of all queues and of this one."""

RQ_SUSPENDED = "rq:suspended"
"""There while ``rq suspend`` holds."""

WAITING = "fizzbuzz:waiting"
"""Integer: messages that are accepted and neither stored nor failed, over all runs."""

LOST_JOBS = "fizzbuzz:lost_jobs"
"""Hash: jobs whose id was on a list and whose content Redis no longer had, each with when it was noticed."""

STARTED = "fizzbuzz:started"
"""Hash: when each service last started, Unix nanoseconds, by its name."""

RETIRED = ("fizzbuzz:duplicates", "fizzbuzz:clocks")
"""What an earlier version kept for every run, for ever."""


def rq_job(job_id: str) -> str:
    """Hash: a job."""
    return f"rq:job:{job_id}"


def rq_worker(name: str) -> str:
    """Hash: a registered worker."""
    return f"rq:worker:{name}"


def run(name: str) -> str:
    """Hash of what is known of a run; it expires with the dedupe window after the run's last message."""
    return f"fizzbuzz:run:{name}"


def arrivals(run_name: str, block: int) -> str:
    """Hash: the first arrival of each message of a block of numbers; it expires with the dedupe window."""
    return f"fizzbuzz:arrival:{run_name}:{block}"
