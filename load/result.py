"""The result of a load: one JSON object, from which each report is made."""

from dataclasses import dataclass
from typing import Any

from load import machine
from load.latency import Latencies
from load.ledger import ACKNOWLEDGED, REFUSED, UNKNOWN
from load.measurements import US_PER_S, Measurements
from load.numbers import Numbers
from load.options import Options
from load.page_watch import Observations
from load.timeline import by_second
from load.verdict import Findings
from load.verification import Verification

FORMAT = 1
LATE_MS = 10.0
"""Where the sender itself was later than this at p99, or missed the rate by ``MISSED``, it was the limit."""
MISSED = 0.01
SETS = ("lost", "duplicated", "recovered", "unexpected", "moved")

Result = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Run:
    """A run, and the kind of database that it went to."""

    name: str
    store: str


def make(
    run: Run, options: Options, measured: Measurements, verification: Verification, seen: Observations
) -> Result:
    """Everything that is known of a run. Lists of numbers are intervals, both ends inclusive."""
    return {
        "format": FORMAT,
        "kind": "load",
        "verdict": verification.verdict,
        "run": run.name,
        **_counts(measured, verification),
        **_latencies(measured),
        **_rates(options, measured),
        "hops_ms": seen.hops_ms(),
        "timeline": [second.as_dict() for second in by_second(measured)],
        "faults": [fault.as_dict() for fault in seen.faults],
        "started_ns": measured.started_ns,
        "interrupted": measured.interrupted,
        "settings": _settings(options, run.store),
        "versions": machine.versions(),
        "machine": machine.machine(),
        "commit": machine.commit(),
        "seed": None,
    }


def _counts(measured: Measurements, verification: Verification) -> Result:
    """Sent and answered; and the sets, None where the database could not be read."""
    ledger, findings = measured.ledger, verification.findings
    sets = {name: _set(findings, name) for name in SETS}
    return {
        "planned": measured.schedule.messages,
        "sent": measured.sent,
        "acknowledged": ledger.count(ACKNOWLEDGED),
        "refused": ledger.count(REFUSED),
        "unknown": ledger.count(UNKNOWN),
        "stored": findings.stored if findings else None,
        **{name: numbers.count if numbers else None for name, numbers in sets.items()},
        "numbers": {
            name: [list(pair) for pair in numbers.intervals] for name, numbers in sets.items() if numbers
        },
        "arrivals_compared": findings.compared if findings else None,
        "duplicates_answered": measured.duplicates,
        "retries": measured.retries,
        "failed_attempts": dict(measured.failures.most_common()),
        "verified_after_s": round(verification.took_s, 3),
        "database_error": verification.error,
    }


def _set(findings: Findings | None, name: str) -> Numbers | None:
    return getattr(findings, name) if findings else None


def _latencies(measured: Measurements) -> Result:
    latencies, behind, waited = Latencies(), Latencies(), Latencies()
    for request, latency_us in enumerate(measured.latency_us):
        messages = len(measured.schedule.numbers(request))
        latencies.add(latency_us, messages)
        behind.add(measured.behind_us[request], messages)
        waited.add(measured.waited_us[request], messages)
    return {
        "latency_ms": latencies.summary_ms(),
        "behind_ms": behind.summary_ms(),
        "connection_wait_ms": waited.summary_ms(),
        "histogram": latencies.histogram(),
    }


def _rates(options: Options, measured: Measurements) -> Result:
    sending_s = measured.sending_us / US_PER_S
    kept = measured.kept_rate
    behind = Latencies(measured.behind_us).ms(99) or 0.0
    missed = max(0.0, 1 - kept / options.rate) if measured.behind_us else 0.0
    return {
        "rate": options.rate,
        "rate_kept": round(kept, 1),
        "rate_missed": round(missed, 4),
        "sending_s": round(sending_s, 3),
        "generator_was_the_limit": behind > LATE_MS or missed > MISSED,
    }


def _settings(options: Options, store: str) -> Result:
    return {
        "rate": options.rate,
        "for_s": options.seconds,
        "batch": options.batch,
        "connections": options.connections,
        "retry": options.retry,
        "timeout_s": options.timeout_s,
        "store": store,
    }
