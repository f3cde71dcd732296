"""A worker of RQ that imports the task before it forks, as the performance notes of its documentation advise.

``rq worker`` would import it again in the child of every job.
"""

from redis import Redis
from rq import Worker

from bench.rivals import with_rq
from bench.rivals.place import here


def main() -> None:
    """Work until asked to stop."""
    worker = Worker(
        [with_rq.QUEUE],
        connection=Redis.from_url(here().redis_url),
        maintenance_interval=with_rq.CHECK_S,
        job_monitoring_interval=with_rq.CHECK_S,
        worker_ttl=with_rq.WORKER_TTL_S,
    )
    worker.work(logging_level="WARNING")


if __name__ == "__main__":
    main()
