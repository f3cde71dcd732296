"""``./start.sh runs``: lists the runs in the database, or deletes one."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pipeline.printable import printable
from worker.command_line import Refused, ask, check_options, fail, run_command

if TYPE_CHECKING:
    from redis import Redis

    from pipeline.queue.ledger import RunLedger
    from pipeline.store import RunFigures, Store

LIMIT = 100
QUIET_S = 10
"""A run is only deleted when nothing of it was accepted for this long."""


def main(arguments: Sequence[str]) -> int:
    """Do what the arguments say; 0 where it was done, 1 where not, 2 where they are wrong."""
    options = _parsed(arguments)
    from redis import RedisError  # after --help, which needs no package

    from pipeline import tls_check
    from pipeline.queue import client as queue
    from pipeline.settings import load_or_exit
    from pipeline.store import StoreUnavailable, open_store

    settings = load_or_exit("worker", tls_check.worker)
    store = open_store(settings)
    try:
        if options.action == "list":
            _print_list(store.runs(options.limit), as_json=options.json)
        else:
            _delete(queue.connect(settings.redis_url, timeout_s=10.0), store, options.run, sure=options.yes)
    except Refused as refusal:
        return fail(str(refusal))
    except StoreUnavailable as error:
        return fail(f"the database can't be used: {printable(str(error))}")
    except BrokenPipeError:  # nobody reads the output
        raise
    except (RedisError, OSError) as error:
        return fail(f"Redis can't be used: {printable(str(error))}")
    finally:
        store.close()
    return 0


def label(run: RunFigures) -> str:
    """Who sent it, and when its first message arrived: ``producer · 2026-01-01 12:00:00``, UTC."""
    began = datetime.fromtimestamp(run.first_arrived_ns // 10**9, UTC)
    sender = "load" if run.run.startswith("load-") else "producer" if run.run[:2] == "20" else "sender"
    return f"{sender} · {began:%Y-%m-%d %H:%M:%S}"


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="./start.sh runs",
        description="The runs in the database, by their last arrival; or delete one, with its messages and"
        " its figures. Times are UTC.",
        allow_abbrev=False,
    )
    parser.add_argument("action", nargs="?", default="list", choices=("list", "delete"))
    parser.add_argument("run", nargs="?", metavar="RUN", help="the run to delete, as the list shows it")
    parser.add_argument(
        "--limit",
        type=_count,
        default=LIMIT,
        help=f"runs to list, by newest stored message; default: {LIMIT};"
        " with InfluxDB of the 1,000 that began last",
    )
    parser.add_argument("--yes", action="store_true", help="delete without asking")
    parser.add_argument("--json", action="store_true", help="the list as one JSON object")
    options = parser.parse_intermixed_args(arguments)
    if options.action == "delete" and not options.run:
        parser.error("delete which run?")
    if options.action == "list" and options.run:
        parser.error("list has no argument")
    check_options(parser, options, deletes="delete")
    return options


def _count(text: str) -> int:
    count = int(text)
    if not 1 <= count <= 10_000:
        raise ValueError(text)
    return count


def _print_list(runs: Sequence[RunFigures], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"runs": [asdict(run) | {"id": run.run, "label": label(run)} for run in runs]}))
        return
    for run in runs:
        print(f"{label(run)}  {_messages(run.stored)}, highest number {run.highest}  {printable(run.run)}")
    if not runs:
        print("no runs")


def _delete(redis: Redis, store: Store, run: str, *, sure: bool) -> None:
    from pipeline.message import InvalidMessage, check_run
    from pipeline.queue import ledger_deletion

    try:
        check_run(run)
    except InvalidMessage as error:
        raise Refused(f"{printable(run)}: {error}") from None
    known = store.run(run)
    entry = _idle_entry(redis, run)
    if known is None and entry.accepted is None:
        raise Refused(f"there is no run {run}")
    if not sure:
        problem = ask(f"delete the run {run} with {_messages(known.stored if known else 0)} for good?")
        if problem:
            raise Refused(problem)
        if _idle_entry(redis, run).last_arrived_ns != entry.last_arrived_ns:
            raise Refused("messages of the run were accepted since the question; nothing was deleted")
    deleted = 0
    for count in store.delete_run(run):
        ledger_deletion.subtract(redis, run, count)
        deleted += count
    if not ledger_deletion.forget(redis, run, entry.last_arrived_ns):
        raise Refused(
            f"{_messages(deleted)} deleted; meanwhile more of the run were accepted: some of these may be"
            " deleted too, the others stay; stop their sender, then delete the run again"
        )
    print(f"deleted: {run} with {_messages(deleted)}")


def _idle_entry(redis: Redis, run: str) -> RunLedger:
    """The run's entry in the ledger. Raises Refused where messages of the run are still under way."""
    from pipeline.queue import ledger, ledger_repair

    ledger_repair.reconcile(redis)  # jobs that another tool deleted don't wait
    entry = ledger.read(redis, [run], recent=0).runs[run]
    _check_idle(entry)
    return entry


def _check_idle(entry: RunLedger) -> None:
    """Raises Refused where messages of the run are still under way."""
    if entry.waiting:
        raise Refused(f"{_messages(entry.waiting)} of the run wait to be stored; nothing was deleted")
    if entry.failed:
        raise Refused(
            f"{_messages(entry.failed)} of the run have failed: requeue or drop them with ./start.sh failed"
            " first; nothing was deleted"
        )
    if time.time_ns() - (entry.last_arrived_ns or 0) < QUIET_S * 10**9:
        raise Refused(
            f"the run is still being sent: its last message came less than {QUIET_S} s ago;"
            " nothing was deleted"
        )


def _messages(count: int) -> str:
    return "1 message" if count == 1 else f"{count} messages"


if __name__ == "__main__":
    run_command(main)
