"""``./start.sh failed``: lists failed jobs, queues them again, or deletes them."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from worker.rq_failed import FailedJob, FailedJobs

MAX_REASON = 1_000
"""Characters of a reason in the list; ``--json`` has all that is kept."""

FAILED, USAGE = 1, 2
_EMPTY = "no failed messages"


class _Refused(Exception):
    """Nothing was changed; one line says why."""


def main(arguments: Sequence[str]) -> int:
    """Do what the arguments say; 0 where it was done, 1 where not, 2 where they are wrong."""
    wanted = _parsed(arguments)
    from redis import RedisError  # after --help, which needs no package

    from pipeline.queue import client as queue
    from pipeline.settings import load_or_exit
    from worker.rq_failed import FailedJobs

    registry = FailedJobs(queue.connect(load_or_exit("worker").redis_url, timeout_s=10.0))
    try:
        return _run(wanted, registry)
    except _Refused as refusal:
        return fail(str(refusal))
    except (RedisError, OSError) as error:
        return fail(f"Redis can't be used: {shown(str(error))}")


def shown(text: str) -> str:
    """``text`` with everything written out that a terminal would not show as it is."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


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
    wanted = parser.parse_intermixed_args(arguments)
    if wanted.all and wanted.ids:
        parser.error("name jobs, or --all, not both")
    if wanted.action != "list" and not (wanted.all or wanted.ids):
        parser.error(f"{wanted.action} what? name jobs, or --all")
    if wanted.yes and wanted.action != "drop":
        parser.error("--yes is for drop")
    if wanted.json and wanted.action != "list":
        parser.error("--json is for list")
    return wanted


def _run(wanted: argparse.Namespace, registry: FailedJobs) -> int:
    jobs = _chosen(registry.all(), wanted.ids)
    if wanted.action == "list":
        _print_list(jobs, as_json=wanted.json)
        return 0
    if not jobs:
        print(_EMPTY)
        return 0
    return _requeue(registry, jobs) if wanted.action == "requeue" else _drop(registry, jobs, sure=wanted.yes)


def _chosen(jobs: list[FailedJob], ids: Sequence[str]) -> list[FailedJob]:
    """The jobs of these ids, or all where none is given. Raises _Refused where one is unknown."""
    unknown = set(ids) - {job.id for job in jobs}
    if unknown:
        raise _Refused(f"no failed job has the id {', '.join(map(shown, sorted(unknown)))}; nothing was done")
    return [job for job in jobs if not ids or job.id in ids]


def _requeue(registry: FailedJobs, jobs: Sequence[FailedJob]) -> int:
    moved = set(registry.requeue(jobs))
    print(f"queued again: {_counted([job for job in jobs if job.id in moved])}")
    left = [job.id for job in jobs if job.id not in moved]
    if left:
        named = ", ".join(map(shown, left[:10])) + (", …" if len(left) > 10 else "")
        return fail(f"{len(left)} not queued, gone meanwhile or without any content to store: {named}")
    return 0


def _drop(registry: FailedJobs, jobs: Sequence[FailedJob], *, sure: bool) -> int:
    if not sure and (problem := ask(f"delete for good: {_counted(jobs)}?")):
        raise _Refused(problem)
    dropped = set(registry.drop(jobs))
    print(f"deleted: {_counted([job for job in jobs if job.id in dropped])}")
    return 0


def ask(question: str) -> str:
    """Why nothing is to be deleted: nobody says yes. Empty where somebody does."""
    if not sys.stdin.isatty():
        return f"{question} Nobody can be asked here: --yes says so. Nothing was deleted"
    try:
        answer = input(f"{question} [y/N] ")
    except EOFError:
        answer = ""
    return "" if answer.strip().lower() in ("y", "yes") else "nothing was deleted"


def _print_list(jobs: Sequence[FailedJob], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"failed": [_as_dict(job) for job in jobs]}))
        return
    for job in jobs:
        more = ", …" if job.messages > len(job.first) else ""
        named = f": {', '.join(job.first)}{more}" if job.first else ""
        print(f"{shown(job.id)}  {shown(job.failed_at) or 'time unknown'}  {_messages(job.messages)}{named}")
        reason = shown(job.reason)
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


def fail(text: str) -> int:
    """Print an error as the launcher prints its own; the exit status."""
    print(f"start.sh: {text}", file=sys.stderr)
    return FAILED


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        print("\nstart.sh: interrupted", file=sys.stderr)
        sys.exit(130)
