"""The SQLite store's queries of a window of arrivals."""

import sqlite3
from collections.abc import Mapping
from dataclasses import replace

from pipeline.clock import NS_PER_MS
from pipeline.message import ClockOffset
from pipeline.store import statistics
from pipeline.store.figures import OFF_NS, Window
from pipeline.store.statistics import known_offsets, may_be_far

# One row: Python fetches each row by itself, which takes longer than to read the numbers from a text.
_WINDOW = """
SELECT group_concat(CAST(arrived_ns - sent_ns AS INTEGER), ' '),
       avg(gateway_ns - sent_ns), avg(arrived_ns - gateway_ns), avg(taken_ns - arrived_ns),
       avg(stored_ns - taken_ns), avg(queued_ns - arrived_ns)
FROM message LEFT JOIN batch ON batch.id = message.batch
WHERE arrived_ns > :after AND arrived_ns <= :until {and_near}
"""

_LAST_EARLY = """
SELECT max(arrived_ns) FROM message
WHERE arrived_ns > :after AND arrived_ns <= :until AND arrived_ns < sent_ns
"""


def read(
    connection: sqlite3.Connection, after_ns: int, until_ns: int, clocks: Mapping[str, ClockOffset]
) -> Window:
    """The messages that arrived in this range; see ``Store.window``."""
    parameters: dict[str, int | str] = {"after": after_ns, "until": until_ns}
    offsets_ns = known_offsets(clocks)

    def window(and_near: str = "") -> tuple[list[int], list[float | None]]:
        """The transmission times in rising order, and the means of the hops, ns."""
        text, *means = connection.execute(_WINDOW.format(and_near=and_near), parameters).fetchone()
        return sorted(map(int, (text or "").split())), means

    every, means_ns = window()
    near = every
    if every and may_be_far(every[0], every[-1], offsets_ns):
        and_near, more = _near(offsets_ns)
        parameters |= more
        near, means_ns = window(and_near)
    *hops_ns, persist_ns = means_ns
    last_early_ns = None
    if every and every[0] < 0:
        (last_early_ns,) = connection.execute(_LAST_EARLY, parameters).fetchone()
    return replace(
        statistics.window([ns / NS_PER_MS for ns in near]),
        hops_ms=tuple(map(_ms, hops_ns)),
        persist_ms=_ms(persist_ns),
        left_out=len(every) - len(near),
        last_early_ns=last_early_ns,
    )


def _near(offsets_ns: Mapping[str, int]) -> tuple[str, dict[str, int | str]]:
    """The condition of a message that is not left out, and its parameters."""
    parameters: dict[str, int | str] = {"off": OFF_NS}
    cases = ""
    for index, (run, offset_ns) in enumerate(offsets_ns.items()):
        cases += f" WHEN :run{index} THEN :offset{index}"
        parameters |= {f"run{index}": run, f"offset{index}": offset_ns}
    offset = f" - CASE run{cases} ELSE 0 END" if cases else ""
    return f"AND abs(arrived_ns - sent_ns{offset}) <= :off", parameters


def _ms(ns: float | None) -> float | None:
    return None if ns is None else ns / NS_PER_MS
