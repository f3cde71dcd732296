"""What a load found out, for a person."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import requests

from load.tally import Tally
from pipeline.store.statistics import nearest_rank

PATIENCE_S = 30.0
"""How long the last messages may take to be stored and shown."""

SHARES = (0.50, 0.90, 0.99, 0.999, 1.0)


@dataclass(frozen=True, slots=True)
class Stored:
    """What the database holds of a run; None where the page does not tell."""

    messages: int | None
    took_s: float
    """From the end of the load."""


def wait_until_stored(
    web_url: str, run: str, expected: int, sleep: Callable[[float], None] = time.sleep
) -> Stored:
    """Ask the page until it shows ``expected`` messages of ``run``, or for ``PATIENCE_S``."""
    started_s = time.monotonic()
    known: int | None = None
    while (took_s := time.monotonic() - started_s) < PATIENCE_S:
        shown = _shown(web_url)
        if shown and shown["id"] == run:
            known = shown["stored"]
        if known is not None and known >= expected:
            break
        sleep(0.2)
    return Stored(known, took_s)


def _shown(web_url: str) -> dict[str, Any] | None:
    """The newest run, as the page has it."""
    try:
        answer: dict[str, Any] = requests.get(f"{web_url}/fizzbuzz/stats", timeout=5).json()
    except requests.RequestException:
        return None
    return answer.get("run")


def lost(tally: Tally, stored: Stored) -> int | None:
    """Messages that were acknowledged and are not in the database; None where that is not known."""
    return None if stored.messages is None else max(0, tally.acknowledged - stored.messages)


def duplicated(tally: Tally, stored: Stored) -> int | None:
    """Rows beyond what was sent; None where that is not known."""
    return None if stored.messages is None else max(0, stored.messages - tally.sent)


def lines(tally: Tally, stored: Stored, took_s: float, run: str) -> list[str]:
    """The report."""
    refused = ", ".join(f"{count:,} × {why}" for why, count in tally.refused.most_common())
    report = [
        f"run           {run}",
        f"sent          {tally.sent:,} messages in {took_s:.1f} s, {tally.sent / took_s:,.0f} a second",
        f"acknowledged  {tally.acknowledged:,}" + (f"  (not: {refused})" if refused else ""),
        f"stored        {_count(stored.messages)}, {stored.took_s:.1f} s after the last was sent",
        f"lost          {_count(lost(tally, stored))}",
        f"duplicated    {_count(duplicated(tally, stored))}",
    ]
    if tally.latencies_ms:
        ordered = sorted(tally.latencies_ms)
        shown = "  ".join(f"p{share * 100:g} {nearest_rank(ordered, share):,.1f}" for share in SHARES)
        report.append(f"latency       {shown} ms, from due to acknowledged".replace("p100", "max"))
    return report


def _count(value: int | None) -> str:
    return "not known: the page shows another run" if value is None else f"{value:,}"
