"""What the page reports of the messages: accepted = stored + waiting + failed, and what is wrong."""

import json
from dataclasses import dataclass
from typing import Any

from launcher import readiness
from pipeline.settings import Settings

PLACES = ("accepted", "stored", "waiting", "failed")


@dataclass(frozen=True, slots=True)
class Audit:
    """The ledger and the conditions, as ``/fizzbuzz/stats`` has them."""

    ledger: dict[str, Any]
    conditions: list[dict[str, Any]]

    def lines(self) -> list[str]:
        """The audit, then one line for each condition, worst first."""
        accepted, stored, waiting, failed = (_count(self.ledger.get(place)) for place in PLACES)
        audit = f"accepted {accepted} = stored {stored} + waiting {waiting} + failed {failed}"
        unaccounted = self.ledger.get("unaccounted")
        if unaccounted:
            audit += f" {'+' if unaccounted > 0 else '-'} unaccounted {abs(unaccounted):,}"
        return [audit, *(f"{one['code']}: {one['text']}" for one in self.conditions)]


def read(settings: Settings) -> Audit | None:
    """The audit of the running system; None where the page does not answer."""
    status, body = readiness.get(f"{readiness.page_url(settings)}stats")
    if status != 200:
        return None
    try:
        stats = json.loads(body)
        return Audit(dict(stats["ledger"]), list(stats["conditions"]))
    except (ValueError, KeyError, TypeError):  # of a version without a ledger
        return None


def _count(value: int | None) -> str:
    return "?" if value is None else f"{value:,}"
