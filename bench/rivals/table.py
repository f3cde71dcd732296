"""The figures as a table in Markdown."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

COLUMNS = (
    "queue",
    "Redis fsync",
    "accepted/s, 64 conn.",
    "16 conn.",
    "stored/s",
    "p99 at {rate}/s",
    "memory",
    "lost",
    "done twice",
)
NONE = "–"


def lines(result: Mapping[str, Any]) -> list[str]:
    """The table, then how each was set up."""
    rate = result["limits"]["rate"]
    header = [name.format(rate=f"{rate:g}") for name in COLUMNS]
    table = [_row(header), "|---" * len(COLUMNS) + "|"]
    return [*table, *(_row(_cells(site)) for site in result["sites"]), "", *_notes(result["sites"])]


def merged(results: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """One result of several runs of parts."""
    return {**results[0], "sites": [site for result in results for site in result["sites"]]}


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cells(site: Mapping[str, Any]) -> list[str]:
    name = " ".join([site["name"], *list(site["versions"].values())[:1]])
    if "error" in site:
        return [name, site["appendfsync"], f"failed: {site['error']}", *[NONE] * (len(COLUMNS) - 3)]
    many, few = _part(site, "wrk_64"), _part(site, "wrk_16")
    most = many or few
    return [
        name,
        site["appendfsync"],
        _number(many, "accepted_per_s"),
        _number(few, "accepted_per_s"),
        _stored(most),
        _p99(_part(site, "latency")),
        _memory(_part(site, "loss")),
        _lost(_part(site, "loss")),
        _again(_part(site, "loss")),
    ]


def _part(site: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A part of the figures; empty where it was not measured or failed."""
    found: Mapping[str, Any] = site.get(name) or {}
    return {} if "error" in found else found


def _number(part: Mapping[str, Any], name: str) -> str:
    return f"{part[name]:,.0f}" if part else NONE


def _stored(part: Mapping[str, Any]) -> str:
    """With a mark where the limit came before all was stored: the rate is that of the time until then."""
    if not part:
        return NONE
    return _number(part, "stored_per_s") + ("" if part["all_stored"] else ", not all in time")


def _p99(part: Mapping[str, Any]) -> str:
    if not part or part["p99_ms"] is None:
        return NONE
    missing = part["planned"] - part["acknowledged"]
    return f"{part['p99_ms']:,.1f} ms" + (f", {missing:,} not accepted" if missing else "")


def _memory(part: Mapping[str, Any]) -> str:
    return f"{part['memory_mb']['total']:,.0f} MB" if part else NONE


def _lost(part: Mapping[str, Any]) -> str:
    if not part:
        return NONE
    waiting = f", {part['waiting']:,} still waiting" if part["waiting"] else ""
    return f"{part['lost']:,} of {part['acknowledged']:,}{waiting}"


def _again(part: Mapping[str, Any]) -> str:
    return f"{part['executed_again']:,}" if part else NONE


def _notes(sites: Sequence[Mapping[str, Any]]) -> list[str]:
    """How each rival was set up, once, and what failed."""
    notes = {site["name"]: site for site in sites if site.get("settings")}
    described = [
        f"- {name} ({_versions(site)}): {site['settings']}. Run with: {site.get('set_up', '–')}. "
        + " ".join(site["docs"])
        for name, site in notes.items()
    ]
    failed = [
        f"- {site['name']}, {site['appendfsync']}: {part} failed: {found['error']}"
        for site in sites
        for part, found in site.items()
        if isinstance(found, Mapping) and "error" in found
    ]
    return [*described, *failed]


def _versions(site: Mapping[str, Any]) -> str:
    return ", ".join(f"{package} {version}" for package, version in site["versions"].items())
