"""What the page shows while a load runs: the time of each hop, and what is wrong."""

import http.client
import json
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from pipeline import local_tls

INTERVAL_S = 1.0
TIMEOUT_S = 2.0
UNREACHABLE = "page_unreachable"
STORE_UNREADABLE = "store_unreadable"


@dataclass(slots=True)
class Fault:
    """Something that was wrong for a time; seconds from the start of the load."""

    code: str
    text: str
    from_s: float
    until_s: float

    def as_dict(self) -> dict[str, Any]:
        return {"code": self.code, "text": self.text, "from_s": self.from_s, "until_s": self.until_s}


@dataclass(slots=True)
class Observations:
    """What was seen."""

    hops: dict[str, list[float]] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def add(self, at_s: float, stats: dict[str, Any] | None) -> None:
        """One reading, ``at_s`` after the start; None where the page did not answer."""
        for name, value in ((stats or {}).get("hops_ms") or {}).items():
            if isinstance(value, int | float):
                self.hops.setdefault(name, []).append(value)
        for code, text in _wrong(stats):
            self._extend(code, text, at_s)

    def hops_ms(self) -> dict[str, float | None]:
        """The mean of each hop over all readings; a reading covers all runs of its last ten seconds."""
        return {name: round(sum(values) / len(values), 3) for name, values in self.hops.items()}

    def count_from(self, start_s: float) -> None:
        """Count the times of faults from ``start_s``, in which until now they were counted."""
        for fault in self.faults:
            fault.from_s = round(max(0.0, fault.from_s - start_s), 1)
            fault.until_s = round(max(0.0, fault.until_s - start_s), 1)

    def _extend(self, code: str, text: str, at_s: float) -> None:
        """Readings of the same trouble in a row are one fault."""
        for fault in self.faults:
            if fault.code == code and at_s - fault.until_s <= INTERVAL_S + TIMEOUT_S + 0.5:
                fault.until_s = round(at_s, 1)
                return
        self.faults.append(Fault(code, text, round(max(0.0, at_s - INTERVAL_S), 1), round(at_s, 1)))


def _wrong(stats: dict[str, Any] | None) -> list[tuple[str, str]]:
    if stats is None:
        return [(UNREACHABLE, "the page does not answer")]
    conditions = [(str(one["code"]), str(one["text"])) for one in stats.get("conditions") or []]
    if not conditions and stats.get("error"):
        conditions.append((STORE_UNREADABLE, str(stats["error"])))
    return conditions


class PageWatch:
    """Reads the page's figures once a second, in a thread of its own, between ``start`` and ``stop``."""

    def __init__(self, page_url: str) -> None:
        self._url = f"{page_url}/fizzbuzz/stats"
        self._open = local_tls.opener().open
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="page", daemon=True)
        self._began_s, self._began_ns = 0.0, 0
        self.seen = Observations()

    def start(self) -> None:
        self._began_s, self._began_ns = time.monotonic(), time.time_ns()
        self._thread.start()

    def stop(self, load_began_ns: int) -> Observations:
        """What was seen; times count from ``load_began_ns``, Unix time, when all connections were there."""
        self._stopped.set()
        self._thread.join(TIMEOUT_S + 1)
        self.seen.count_from((load_began_ns - self._began_ns) / 1e9)
        return self.seen

    def _run(self) -> None:
        while not self._stopped.wait(INTERVAL_S):
            stats = self._read()
            if not self._stopped.is_set():
                self.seen.add(time.monotonic() - self._began_s, stats)

    def _read(self) -> dict[str, Any] | None:
        try:
            with self._open(self._url, timeout=TIMEOUT_S) as response:
                answer = json.load(response)
        except (OSError, ValueError, http.client.HTTPException):
            return None
        return answer if isinstance(answer, dict) else None
