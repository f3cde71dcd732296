"""The command ``load``: sends a measured load, checks what became of it, and writes the report."""

import asyncio
import json
import os
import secrets
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tqdm import tqdm

from load import find_max, html_report, options, result, rows, stop_signals, target, text_report
from load.measurements import Measurements
from load.options import Options
from load.page_watch import PageWatch
from load.result import Result, Run
from load.sender import Sender
from load.target import Target
from load.verdict import EXIT_STATUS
from load.verification import verify
from pipeline import standard_output

if sys.platform != "win32":
    import uvloop  # there is none for Windows

USAGE = 2


def main(arguments: list[str]) -> int:
    """The exit status that the verdict stands for."""
    given = options.read(arguments)
    stop_signals.end_as_by_ctrl_c()
    try:
        there = target.read(os.environ)
    except OSError as error:
        print(f"load: {error.filename}: {error.strerror}", file=sys.stderr)
        return USAGE
    limit_ms = given.find_max_p99_ms
    found = find_max.search(there, given, limit_ms, measure) if limit_ms else measure(there, given)
    _print("\n".join([*find_max.lines(found), *text_report.lines(found)]))
    try:
        if given.json:
            _write(given.json, json.dumps(found, indent=1) + "\n")
        if given.html:
            _write(given.html, html_report.page([found]))
    except OSError as error:
        print(f"load: {error.filename or 'the report'}: {error.strerror}", file=sys.stderr)
        return EXIT_STATUS[found["verdict"]] or USAGE
    return EXIT_STATUS[found["verdict"]]


def measure(there: Target, given: Options) -> Result:
    """Send one load, and check what became of it."""
    run = _new_run()
    watch = PageWatch(there.page_url)
    watch.start()
    total = round(given.rate * given.seconds)
    with tqdm(total=total, unit=" messages", disable=None) as bar:  # None: where stderr is no terminal
        measured = _run(there, run, given, lambda done: bar.update(done - bar.n))
    seen = watch.stop(measured.started_ns)
    verification = verify(measured.ledger, rows.reader(there), run)
    return result.make(Run(run, there.store), given, measured, verification, seen)


def _run(there: Target, run: str, given: Options, progress: Callable[[int], object]) -> Measurements:
    async def send() -> Measurements:
        sender = Sender(there, run, secrets.token_urlsafe(24), given, progress)
        with stop_signals.calling(sender.stop):
            return await sender.run()

    return asyncio.run(send()) if sys.platform == "win32" else uvloop.run(send())


def _new_run() -> str:
    """A new name, in the order of time."""
    now_ns = time.time_ns()
    moment = time.strftime("%Y%m%dT%H%M%S", time.gmtime(now_ns / 1e9))
    return f"load-{moment}.{now_ns // 1_000_000 % 1_000:03d}Z-{secrets.token_hex(3)}"


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    _print(f"written       {path.absolute()}")


def _print(text: str) -> None:
    """Where nobody reads the output any more, files and exit status are still due."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        standard_output.discard()
