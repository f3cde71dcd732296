"""A result as text, the verdict at its end."""

from load.numbers import Numbers
from load.result import SETS, Result

PERCENTILES = ("p50", "p90", "p99", "p999", "max")
WAIT_MS = 10.0
"""Where requests waited longer than this for a connection at p99 the report says so."""
MEANING = {
    "lost": "acknowledged and not in the database",
    "duplicated": "rows beyond the first of a number",
    "recovered": "refused or without an answer, and in the database",
    "unexpected": "in the database and never sent",
    "moved": "stored with another arrival time than the first answer reported",
}


def lines(result: Result) -> list[str]:
    """The report."""
    return [
        _line("run", result["run"]),
        _line("sent", _sent(result)),
        _line("acknowledged", f"{result['acknowledged']:,}"),
        _line("refused", f"{result['refused']:,}"),
        _line("unknown", f"{result['unknown']:,}"),
        *_attempts(result),
        _line("stored", _stored(result)),
        *(_line(name, _set(result, name)) for name in SETS),
        _line(
            "latency",
            f"{_percentiles(result['latency_ms'])} ms, from scheduled send to acknowledgement, all messages",
        ),
        _line("behind", f"{_percentiles(result['behind_ms'])} ms, the load generator itself"),
        *_hops(result),
        *_faults(result),
        *(_line("note", text) for text in notes(result)),
        _line("verdict", f"{result['verdict']}  {verdict_text(result)}"),
    ]


def notes(result: Result) -> list[str]:
    """What a reader must know before believing the latencies."""
    found = []
    if result["generator_was_the_limit"]:
        found.append(
            "the load generator, not the system, was the limit:"
            f" behind its schedule by {_number(result['behind_ms']['p99'])} ms at p99,"
            f" rate missed by {result['rate_missed']:.1%}"
        )
    wait_ms = result["connection_wait_ms"]["p99"]
    if wait_ms is not None and wait_ms > WAIT_MS:
        connections = result["settings"]["connections"]
        found.append(
            f"requests waited up to {_number(wait_ms)} ms (p99) for one of {connections} connections to be"
            " free or to open; that is in the latencies, see --connections"
        )
    if result["interrupted"]:
        found.append(f"{stopped(result)}: nothing is said about the rest, and it is not the whole run")
    given_up = result["refused"] + result["unknown"]
    if given_up:
        found.append(
            f"{given_up:,} messages without a 202 are in the latencies, with the time until given up"
        )
    return found


def _line(name: str, text: str) -> str:
    return f"{name:<13} {text}"


def _sent(result: Result) -> str:
    sent, took_s = result["sent"], result["sending_s"]
    rate = f", {sent / took_s:,.0f} a second" if took_s else ""
    return f"{sent:,} messages in {took_s:.1f} s{rate}"


def _attempts(result: Result) -> list[str]:
    failed = ", ".join(f"{count:,} × {why}" for why, count in result["failed_attempts"].items())
    if not failed:
        return []
    return [_line("attempts", f"not answered 202: {failed}; {result['retries']:,} sent again")]


def _stored(result: Result) -> str:
    if result["stored"] is None:
        return f"not known: {result['database_error']}"
    return f"{result['stored']:,} in the database, checked {result['verified_after_s']:.1f} s long"


def _set(result: Result, name: str) -> str:
    count = result[name]
    if count is None:
        return "not known"
    if not count:
        return "0"
    numbers = Numbers(count, tuple((first, last) for first, last in result["numbers"][name]))
    return f"{count:,}  {MEANING[name]}: {numbers.text()}"


def _percentiles(values: dict[str, float | None]) -> str:
    return "  ".join(f"{name.replace('p999', 'p99.9')} {_number(values[name])}" for name in PERCENTILES)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.1f}" if value >= 1 else f"{value:.2f}"


def _hops(result: Result) -> list[str]:
    hops = "  ".join(f"{name} {_number(value)}" for name, value in result["hops_ms"].items())
    return [_line("hops", f"{hops} ms on average, from the page, all runs")] if hops else []


def _faults(result: Result) -> list[str]:
    return [
        _line("fault", f"{fault['from_s']:.0f}–{fault['until_s']:.0f} s  {fault['text']}")
        for fault in result["faults"]
    ]


def stopped(result: Result) -> str:
    """That the sending was ended early, and where."""
    return f"stopped after {result['sent']:,} of {result['planned']:,} messages"


def verdict_text(result: Result) -> str:
    """What the verdict is based on; it begins with how much was sent, if that is not the whole run."""
    basis = _basis(result)
    return f"{stopped(result)}; {basis}" if result["interrupted"] else basis


def _basis(result: Result) -> str:
    if other := _deciding_step(result):
        return f"as the step at {other['rate']:,.0f} a second, run {other['run']}"
    if result["verdict"] == "UNDECIDED":
        return f"the database could not be read: {result['database_error']}"
    if result["verdict"] == "VALID":
        return "every acknowledged message is stored exactly once"
    wrong = [f"{result[name]:,} {name}" for name in SETS if name != "recovered" and result[name]]
    return ", ".join(wrong) or "nothing was acknowledged"


def _deciding_step(result: Result) -> Result | None:
    """The step of a search that its verdict comes from, where the report is of another one."""
    steps = result["find_max"]["steps"] if "find_max" in result else []
    deciding = [one for one in steps if one["verdict"] == result["verdict"]]
    is_its_own = any(one["run"] == result["run"] for one in deciding)
    return deciding[0] if deciding and not is_its_own else None
