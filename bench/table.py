"""The results of ``./start.sh bench`` as Markdown: ``python -m bench.table RESULT.json [--into FILE]``.

``--into`` replaces what stands between the two marks in a file.
"""

import argparse
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"
BUSY = 0.05
"""Processes that use less of a core are not named."""


def lines(result: Mapping[str, Any]) -> Iterator[str]:
    """What was measured where, and the tables."""
    yield from _head(result)
    yield from _tables(result)


def _head(result: Mapping[str, Any]) -> Iterator[str]:
    yield f"{result['at'][:10]}, {_machine(result['machine'])}; mean ± standard deviation of the runs"
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    yield f"({versions})."


def _tables(result: Mapping[str, Any]) -> Iterator[str]:
    names = [one["name"] for one in result["checkouts"]]
    ratio = ["ratio"] if len(names) > 1 else []
    for name, benchmark in result["benchmarks"].items():
        columns = [f"{name}, {benchmark['runs']} runs", *names, *ratio, "goal"]
        yield ""
        yield f"| {' | '.join(columns)} |"
        yield "| --- " * len(columns) + "|"
        for measured in benchmark["figures"].values():
            yield f"| {' | '.join(_cells(measured, with_ratio=bool(ratio)))} |"
        for title, shares in benchmark["processors"].items():
            busy = [_busy(one) for one in shares]
            if any(busy):
                yield f"| processors used{title} | {' | '.join([*busy, *([''] if ratio else []), ''])} |"


def _cells(measured: list[Mapping[str, Any] | None], *, with_ratio: bool) -> Iterator[str]:
    first = next(one for one in measured if one)
    yield first["text"]
    for one in measured:
        yield _value(one) if one else "–"
    if with_ratio:
        last, before = measured[-1], measured[0]
        yield f"{last['mean'] / before['mean']:.2f}" if last and before and before["mean"] else "–"
    yield first["goal"]


def _value(one: Mapping[str, Any]) -> str:
    deviation = "" if one["deviation"] is None else f" ± {_number(one['deviation'])}"
    return f"{_number(one['mean'])}{deviation} {one['unit']}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _busy(shares: Mapping[str, float]) -> str:
    named = sorted(shares.items(), key=lambda one: -one[1])
    return ", ".join(f"{name} {share:.2f}" for name, share in named if share >= BUSY)


def _machine(machine: Mapping[str, Any]) -> str:
    return f"{machine['processor']}, {machine['processors']} processors, {machine['memory_gib']} GiB"


def _replace(path: Path, text: str) -> None:
    before, _, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise SystemExit(f"{path}: the marks {BEGIN} and {END} are missing")
    path.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", type=Path, nargs="+", metavar="RESULT.json")
    parser.add_argument("--into", type=Path)
    given = parser.parse_args()
    results = [json.loads(path.read_text()) for path in given.results]
    heads = dict.fromkeys("\n".join(_head(result)) for result in results)
    text = "\n".join([*heads, *(line for result in results for line in _tables(result))])
    if given.into:
        _replace(given.into, text)
    else:
        print(text)


if __name__ == "__main__":
    main()
