"""``./start.sh failed``: lists failed jobs, queues them again, or deletes them."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipeline.printable import printable
from worker.command_line import Refused, ask, check_options, fail, run_command

if TYPE_CHECKING:
    from worker.rq_failed import FailedJob, FailedJobs

MAX_REASON = 1_000
"""Characters of a reason in the list; ``--json`` has all that is kept."""

_EMPTY = "no failed messages"


def main(arguments: Sequence[str]) -> int:
    """Do what the arguments say; 0 where it was done, 1 where not, 2 where they are wrong."""
    options = _parsed(arguments)
    from redis import RedisError  # after --help, which needs no package

    from pipeline import tls_check
    from pipeline.queue import client as queue
    from pipeline.settings import load_or_exit
    from worker.rq_failed import FailedJobs

    registry = FailedJobs(queue.connect(load_or_exit("worker", tls_check.worker).redis_url, timeout_s=10.0))
    try:
        return _run(options, registry)
    except Refused as refusal:
        return fail(str(refusal))
    except BrokenPipeError:  # nobody reads the output
        raise
    except (RedisError, OSError) as error:
        return fail(f"Redis can't be used: {printable(str(error))}")


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="./start.sh failed",
        description="Messages that can never be stored as they are, by job. A job is kept whole: those of its"
        " messages that were not rejected are stored already, and are ignored when it is queued again.",
        allow_abbrev=False,
    )
    parser.add_argument("action", nargs="?", default="list", choices=("list", "requeue", "drop"))
    parser.add_argument("ids", nargs="*", metavar="ID", help="of a job, as the list shows it")
    parser.add_argument("--all", action="store_true", help="every failed job")
    parser.add_argument("--yes", action="store_true", help="drop without asking")
    parser.add_argument("--json", action="store_true", help="the list as one JSON object")
    options = parser.parse_intermixed_args(arguments)
    if options.all and options.ids:
        parser.error("name jobs, or --all, not both")
    if options.action != "list" and not (options.all or options.ids):
        parser.error(f"{options.action}: name jobs, or --all")
    check_options(parser, options, deletes="drop")
    return options


def _run(options: argparse.Namespace, registry: FailedJobs) -> int:
    jobs = _chosen(registry.all(), options.ids)
    if options.action == "list":
        _print_list(jobs, as_json=options.json)
        return 0
    if not jobs:
        print(_EMPTY)
        return 0
    return (
        _requeue(registry, jobs) if options.action == "requeue" else _drop(registry, jobs, sure=options.yes)
    )


def _chosen(jobs: list[FailedJob], ids: Sequence[str]) -> list[FailedJob]:
    """The jobs of these ids, or all where none is given. Raises Refused where one is unknown."""
    unknown = set(ids) - {job.id for job in jobs}
    if unknown:
        named = ", ".join(map(printable, sorted(unknown)))
        raise Refused(f"no failed job has the id {named}; nothing was done")
    return [job for job in jobs if not ids or job.id in ids]


def _requeue(registry: FailedJobs, jobs: Sequence[FailedJob]) -> int:
    moved = set(registry.requeue(jobs))
    print(f"queued again: {_counted([job for job in jobs if job.id in moved])}")
    left = [job.id for job in jobs if job.id not in moved]
    if left:
        named = ", ".join(map(printable, left[:10])) + (", …" if len(left) > 10 else "")
        return fail(f"{len(left)} not queued, gone meanwhile or without any content to store: {named}")
    return 0


def _drop(registry: FailedJobs, jobs: Sequence[FailedJob], *, sure: bool) -> int:
    if not sure and (problem := ask(f"delete for good: {_counted(jobs)}?")):
        raise Refused(problem)
    dropped = set(registry.drop(jobs))
    print(f"deleted: {_counted([job for job in jobs if job.id in dropped])}")
    return 0


def _print_list(jobs: Sequence[FailedJob], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"failed": [_as_dict(job) for job in jobs]}))
        return
    for job in jobs:
        more = ", …" if job.messages > len(job.first) else ""
        named = f": {', '.join(job.first)}{more}" if job.first else ""
        failed_at = printable(job.failed_at) or "time unknown"
        print(f"{printable(job.id)}  {failed_at}  {_messages(job.messages)}{named}")
        reason = printable(job.reason)
        print(f"    {reason[:MAX_REASON]}{'…' if len(reason) > MAX_REASON else ''}")
    print(_counted(jobs) if jobs else _EMPTY)


def _as_dict(job: FailedJob) -> dict[str, object]:
    return {
        "job": job.id,
        "failed_at": job.failed_at or None,
        "messages": job.messages,
        "first": list(job.first),
        "reason": job.reason,
    }


def _counted(jobs: Sequence[FailedJob]) -> str:
    noun = "job" if len(jobs) == 1 else "jobs"
    return f"{len(jobs)} {noun} with {_messages(sum(job.messages for job in jobs))}"


def _messages(count: int) -> str:
    return "1 message" if count == 1 else f"{count or 'no readable'} messages"


if __name__ == "__main__":
    run_command(main)
