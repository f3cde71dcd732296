"""``python -m bench.rivals [--only NAME…] [--json FILE] [--short] [--fsync always|everysec …]``

Measures this system and other queues one after the other and prints a table; docs/figures.md says how to read
it. It takes some six minutes per queue, needs ``wrk`` on PATH, sends only to 127.0.0.1, and leaves nothing
running, also after Ctrl-C.
"""

import argparse
import json
import sys
from pathlib import Path

from bench.rivals import catalogue, environment, table
from launcher.interruption import INTERRUPTED, end_as_by_ctrl_c
from load.output_file import obstacle

CHOICES = (*catalogue.NAMES, catalogue.OWN)
SYNCS = ("always", "everysec")
PARTS = ("wrk", "latency", "loss")


def main(arguments: list[str]) -> int:
    """0 where all was measured, 1 where a part failed, 2 without wrk."""
    wanted = _parser().parse_args(arguments)
    if wanted.show:
        print("\n".join(table.lines(table.merged([json.loads(path.read_text()) for path in wanted.show]))))
        return 0
    if wanted.json and (why := obstacle(wanted.json)):
        print(f"bench: {wanted.json}: {why}", file=sys.stderr)
        return 2
    environment.enter(arguments)
    # From here on with the rivals' packages.
    from bench import wrk
    from bench.rivals.limits import SHORT, Limits
    from bench.rivals.rival_site import parse_set_up
    from bench.rivals.run import Options, run

    if not wrk.is_there():
        print("no wrk on PATH (Debian, Ubuntu: apt install wrk)", file=sys.stderr)
        return 2
    end_as_by_ctrl_c()
    limits = SHORT if wanted.short else Limits()
    try:
        set_up = parse_set_up(wanted.set_up) if wanted.set_up else None
    except ValueError:
        print(f"--set-up {wanted.set_up}: not SERVER/THREADS/PROCESSES/WORKERS", file=sys.stderr)
        return 2
    options = Options(
        only=tuple(wanted.only),
        limits=limits,
        appendfsync=tuple(wanted.fsync),
        parts=tuple(wanted.parts),
        set_up=set_up,
        own_venv=wanted.own_venv,
        progress=lambda text: print(text, file=sys.stderr, flush=True),
    )
    try:
        result = run(options)
    except KeyboardInterrupt:
        return INTERRUPTED
    print("\n".join(table.lines(result)))
    if wanted.json:
        wanted.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return int(any("failed:" in line for line in table.lines(result)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.rivals",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", nargs="+", choices=CHOICES, default=list(CHOICES), metavar="NAME")
    parser.add_argument("--json", type=Path, metavar="FILE", help="all figures")
    parser.add_argument(
        "--show", nargs="+", type=Path, metavar="FILE", help="the table of such files; no run"
    )
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="all unless named")
    parser.add_argument("--set-up", help="as in the JSON, instead of the best that is found")
    parser.add_argument("--short", action="store_true", help="seconds per part; the figures mean nothing")
    parser.add_argument("--fsync", nargs="+", choices=SYNCS, default=list(SYNCS), help="of the rivals' Redis")
    parser.add_argument(
        "--own-venv", type=Path, default=environment.own_venv(), help="the environment of this system"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
