"""Runs benchmarks, several times each, and prints what was measured: ``./start.sh bench [NAME …]``."""

import argparse
import json
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import batches, connections, open_loop, pace, starts, streams, ticks, tls
from bench.figure import Benchmark, Values, summary
from bench.rivals import __main__ as rivals
from bench.rivals import environment
from bench.table import lines
from launcher.configuration import CHECKOUT
from launcher.interruption import INTERRUPTED, end_as_by_ctrl_c
from load import machine
from load.output_file import obstacle
from pipeline.clock import to_rfc3339

RUNS = 5
RIVALS = "  rivals       other queues beside this one, with options of their own: rivals --help"
BENCHMARKS: dict[str, Benchmark] = {
    "pace": pace.BENCHMARK,
    "hour": pace.HOUR,
    "connections": connections.BENCHMARK,
    "open-loop": open_loop.BENCHMARK,
    "batches": batches.BENCHMARK,
    "streams": streams.BENCHMARK,
    "ticks": ticks.BENCHMARK,
    "starts": starts.BENCHMARK,
    "tls": tls.BENCHMARK,
}


def main(arguments: Sequence[str]) -> int:
    """0 when everything asked for was measured."""
    if arguments[:1] == ["rivals"]:
        return rivals.main(list(arguments[1:]))
    given = _options(arguments)
    checkouts = [*([given.beside.resolve()] if given.beside else []), CHECKOUT]
    result: dict[str, Any] = {
        "format": 1,
        "kind": "bench",
        "at": to_rfc3339(time.time_ns()),
        "machine": machine.machine(),
        "versions": machine.versions(),
        "checkouts": [{"name": machine.commit(one) or one.name} for one in checkouts],
        "benchmarks": {},
    }
    end_as_by_ctrl_c()
    try:
        for name in chosen(given.names):
            result["benchmarks"][name] = _measured(name, checkouts, given.runs)
            given.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    except KeyboardInterrupt:
        print("bench: interrupted", file=sys.stderr)
        return INTERRUPTED
    except AssertionError as error:  # a command of the system failed, or what was waited for did not come
        print(f"bench: {error}", file=sys.stderr)
        return 1
    print("\n".join(lines(result)))
    print(f"\nwritten: {given.json}")
    return 0


def chosen(names: Sequence[str]) -> list[str]:
    """Those named; where none is, all that are measured by default."""
    return list(names) or [name for name, one in BENCHMARKS.items() if one.by_default]


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    about = "\n".join(f"  {name:12} {one.about}" for name, one in BENCHMARKS.items())
    parser = argparse.ArgumentParser(
        prog="./start.sh bench",
        description=f"Benchmarks of systems of their own, on this machine alone:\n{about}\n{RIVALS}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all of them but the hour")
    parser.add_argument("--runs", type=int, default=RUNS, help=f"of each benchmark ({RUNS})")
    parser.add_argument(
        "--beside", type=Path, metavar="CHECKOUT", help="another checkout, measured in turns with this one"
    )
    parser.add_argument(
        "--json",
        type=Path,
        default=environment.home() / "bench.json",
        metavar="FILE",
        help="default: bench.json in FIZZBUZZ_HOME",
    )
    given = parser.parse_args(arguments)
    unknown = [name for name in given.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"unknown benchmark {unknown[0]}: {', '.join(BENCHMARKS)} are known")
    if given.runs < 1:
        parser.error("--runs: at least 1")
    if given.beside and not (given.beside / "start.sh").is_file():
        parser.error(f"{given.beside}: there is no start.sh")
    if why := obstacle(given.json):
        parser.error(f"{given.json}: {why}")
    return given


def _measured(name: str, checkouts: Sequence[Path], runs: int) -> dict[str, Any]:
    """All runs of a benchmark; each of a figure's entries is of one checkout, in their order."""
    benchmark = BENCHMARKS[name]
    results: dict[Path, list[Values]] = {one: [] for one in checkouts}
    for turn in range(runs):
        order = checkouts if turn % 2 == 0 else checkouts[::-1]
        for checkout in order:
            if checkout == CHECKOUT or benchmark.beside:
                print(f"{name}: run {turn + 1} of {runs}, {checkout}", file=sys.stderr, flush=True)
                results[checkout].append(benchmark.run(checkout))
    return {"runs": runs, "figures": _figures(benchmark, results), "processors": _processors(results)}


def _figures(benchmark: Benchmark, results: dict[Path, list[Values]]) -> dict[str, Any]:
    measured = {
        key: [
            summary(figure, values) if (values := [run[key] for run in runs if key in run]) else None
            for runs in results.values()
        ]
        for key, figure in benchmark.figures.items()
    }
    return {key: found for key, found in measured.items() if any(found)}


def _processors(results: dict[Path, list[Values]]) -> dict[str, list[dict[str, float]]]:
    """The mean share of a processor by process, for each part of a benchmark: ``cpu:PART:PROCESS``."""
    parts: dict[str, list[dict[str, float]]] = defaultdict(lambda: [{} for _ in results])
    for index, runs in enumerate(results.values()):
        for key in {key for run in runs for key in run if key.startswith("cpu:")}:
            part, _, process = key.removeprefix("cpu:").rpartition(":")
            shares = [run.get(key, 0.0) for run in runs]
            parts[f" ({part})" if part else ""][index][process] = sum(shares) / len(shares)
    return dict(sorted(parts.items()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
