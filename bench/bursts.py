"""How exact bursts are: ``python -m bench.bursts DATABASE [--bursts 100]``.

Follows the newest run of a running system with an SQLite store, until it has stored that many bursts
after the start of this program (``--past``: uses those already stored), and prints percentiles of
the span (last sent - first sent), the same of the arrivals, the start offset (first sent - deadline) and the
transmission time. A message that is sent late keeps the time at which it was due, so only arrivals show that.
"""

import argparse
import sqlite3
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.figure import percentile

NS_PER_MS = 1e6
NS_PER_S = 1e9

_NEWEST_RUN = "SELECT run FROM message ORDER BY arrived_ns DESC LIMIT 1"
_MESSAGES = "SELECT number, sent_ns, arrived_ns FROM message WHERE run = ? AND number >= ? ORDER BY number"
_NEXT_NUMBER = "SELECT coalesce(max(number), -1) + 1 FROM message WHERE run = ?"


@dataclass(frozen=True, slots=True)
class Sent:
    """One stored message; times are Unix nanoseconds."""

    number: int
    sent_ns: int
    arrived_ns: int


def main() -> int:
    """0 if the results meet the targets, 1 if not, 2 if there is nothing to measure."""
    options = _options()
    if not options.database.is_file():
        print(f"{options.database}: no such database", file=sys.stderr)
        return 2
    connection = sqlite3.connect(f"file:{options.database}?mode=ro", uri=True)
    newest = connection.execute(_NEWEST_RUN).fetchone()
    if newest is None:
        print("the database is empty", file=sys.stderr)
        return 2
    messages = _follow(connection, newest[0], options)
    if not messages:
        print("no new messages in this run: is the producer running?", file=sys.stderr)
        return 2
    print(f"run {newest[0]}: {len(messages)} messages")
    found = measurements(messages, size=options.size, rate=options.rate)
    return 0 if _report(found, options.size) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("database", type=Path, help="the SQLite file")
    parser.add_argument("--bursts", type=int, default=100, help="how many (100)")
    parser.add_argument("--size", type=int, default=10, help="messages per burst, as FIZZBUZZ_BURST (10)")
    parser.add_argument("--rate", type=float, default=1.0, help="bursts per second, as FIZZBUZZ_RATE (1)")
    parser.add_argument("--past", action="store_true", help="the newest stored bursts; do not wait")
    return parser.parse_args()


def _follow(connection: sqlite3.Connection, run: str, options: argparse.Namespace) -> list[Sent]:
    """The messages of the bursts to measure; none if they do not arrive in time."""
    wanted = options.bursts * options.size
    (following,) = connection.execute(_NEXT_NUMBER, (run,)).fetchone()
    whole = following - following % options.size  # of the burst that is being stored a part may be there
    first = whole - wanted if options.past else following + -following % options.size
    give_up_s = time.monotonic() + 2 * options.bursts / options.rate + 10
    while True:
        messages = [Sent(*row) for row in connection.execute(_MESSAGES, (run, max(first, 0)))][:wanted]
        if len(messages) == wanted or options.past:
            return messages
        if time.monotonic() > give_up_s:
            return []
        time.sleep(1)


@dataclass(frozen=True, slots=True)
class Measurements:
    """What bursts of one run show, in milliseconds."""

    bursts: int
    whole: bool
    """Whether each burst has all its messages."""
    spans_ms: Sequence[float]
    arrival_spans_ms: Sequence[float]
    offsets_ms: Sequence[float]
    transmissions_ms: Sequence[float]


def measurements(messages: Sequence[Sent], *, size: int, rate: float) -> Measurements:
    """Of bursts of ``size`` messages, ``rate`` of them a second."""
    bursts: dict[int, list[Sent]] = defaultdict(list)
    for message in messages:
        bursts[message.number // size].append(message)
    sent_ns = [[message.sent_ns for message in burst] for burst in bursts.values()]
    return Measurements(
        len(bursts),
        all(len(burst) == size for burst in bursts.values()),
        [_span_ms(moments) for moments in sent_ns],
        [_span_ms([message.arrived_ns for message in burst]) for burst in bursts.values()],
        [min(moments) % (NS_PER_S / rate) / NS_PER_MS for moments in sent_ns],
        [(message.arrived_ns - message.sent_ns) / NS_PER_MS for message in messages],
    )


def _report(found: Measurements, size: int) -> bool:
    _line("span, ms", found.spans_ms)
    _line("span of arrivals, ms", found.arrival_spans_ms)
    _line("start offset, ms", found.offsets_ms)
    _line("transmission, ms", found.transmissions_ms)
    print(f"{found.bursts} bursts, " + (f"each of {size}" if found.whole else "NOT all of them complete"))
    return (
        found.whole
        and max(found.spans_ms) < 100
        and max(found.arrival_spans_ms) < 100
        and percentile(found.spans_ms, 0.99) <= 10
        and percentile(found.offsets_ms, 0.99) <= 2
        and statistics.mean(found.transmissions_ms) <= 5
    )


def _span_ms(moments_ns: Sequence[int]) -> float:
    return (max(moments_ns) - min(moments_ns)) / NS_PER_MS


def _line(name: str, values: Sequence[float]) -> None:
    figures = " ".join(f"p{q * 100:g} {percentile(values, q):7.3f}" for q in (0.5, 0.9, 0.99))
    print(f"{name:>20}: mean {statistics.mean(values):7.3f} {figures} max {max(values):7.3f}")


if __name__ == "__main__":
    sys.exit(main())
