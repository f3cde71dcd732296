"""Results as one HTML page that needs nothing from elsewhere."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any

from load import charts, find_max, text_report
from load.numbers import Numbers
from load.result import SETS, Result

_STYLE = Path(__file__).with_name("report.css")
_WRONG = {"lost", "duplicated", "unexpected", "moved"}


def page(results: Sequence[Result]) -> str:
    """The page: verdicts on top, then figures side by side, then each run by the second."""
    body = [
        f"<h1>{'Load report' if len(results) == 1 else f'{len(results)} load reports'}</h1>",
        f'<div class="verdicts">{"".join(map(_verdict, results))}</div>',
        *(
            f'<p class="note">{escape(_of(one, results) + text)}</p>'
            for one in results
            for text in _notes(one)
        ),
        *map(_search, results),
        _table("Messages", results, _messages()),
        _table(
            "Latency, from scheduled send to acknowledgement, all messages (ms)",
            results,
            _percentiles("latency_ms"),
        ),
        _latency_chart(results),
        *map(_timeline, results),
        _table("Behind schedule, the load generator itself (ms)", results, _percentiles("behind_ms")),
        _table("Hops, mean of what the page showed (ms)", results, _hops(results)),
        _table("Where and how", results, _circumstances(results)),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Load report</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE.read_text(encoding='utf-8')}</style></head>\n"
        f"<body>{''.join(body)}</body></html>\n"
    )


Row = tuple[str, Callable[[Result], str], Callable[[Result], bool]]
"""A row of a table: its name, its text for a result, and whether that is wrong."""


def _row(
    name: str, text: Callable[[Result], Any], wrong: Callable[[Result], bool] = lambda one: False
) -> Row:
    return name, lambda one: _text(text(one)), wrong


def _verdict(result: Result) -> str:
    what = text_report.verdict_text(result)
    verdict = escape(result["verdict"])
    rate = f"{result['rate']:,g} a second for {result['settings']['for_s']:g} s"
    return (
        f'<div class="verdict {verdict}"><b>{verdict}</b>{escape(what)}<br>'
        f"<small>{escape(result['run'])}<br>{rate}, {escape(result['settings']['store'])}</small></div>"
    )


_STEP: Mapping[str, Callable[[dict[str, Any]], str]] = {
    "a second": lambda step: f"{step['rate']:,.0f}",
    "p99, ms": lambda step: _text(step["p99_ms"]),
    "kept": lambda step: _text(step["kept"]),
    "the load generator was the limit": lambda step: _text(step["generator_was_the_limit"]),
    "verdict": lambda step: str(step["verdict"]),
}
"""The columns of a search's table."""


def _search(result: Result) -> str:
    """What came of a search of the highest rate, and its steps; nothing where there was none."""
    summary = result.get("find_max")
    if not summary:
        return ""
    heads = "".join(f"<th>{escape(head)}</th>" for head in _STEP)
    steps = "".join(
        f"<tr>{''.join(f'<td>{escape(text(step))}</td>' for text in _STEP.values())}</tr>"
        for step in summary["steps"]
    )
    return (
        f"<h2>Highest rate</h2><p>{escape(find_max.answer(summary))}</p>"
        f'<div class="scroll"><table><tr>{heads}</tr>{steps}</table></div>'
    )


def _notes(result: Result) -> list[str]:
    return text_report.notes(result)


def _messages() -> list[Row]:
    counts = ("planned", "sent", "acknowledged", "refused", "unknown", "stored")
    rows = [_row(name, lambda one, name=name: one[name]) for name in counts]  # type: ignore[misc]
    rows += [
        _row(
            f"{name}: {text_report.MEANING[name]}",
            lambda one, name=name: _set(one, name),  # type: ignore[misc]
            lambda one, name=name: name in _WRONG and bool(one[name]),  # type: ignore[misc]
        )
        for name in SETS
    ]
    rows.append(_row("attempts not answered 202", lambda one: _pairs(one["failed_attempts"]) or 0))
    rows.append(_row("sent again", lambda one: one["retries"]))
    return rows


def _set(result: Result, name: str) -> str:
    if result[name] is None:
        return "not known"
    numbers = Numbers(result[name], tuple((first, last) for first, last in result["numbers"][name]))
    return f"{numbers.count:,}" + (f" ({numbers.text()})" if numbers.count else "")


def _percentiles(figure: str) -> list[Row]:
    names = ("p50", "p90", "p99", "p999", "max", "mean")
    return [
        _row(name.replace("p999", "p99.9"), lambda one, name=name: one[figure][name])  # type: ignore[misc]
        for name in names
    ]


def _hops(results: Sequence[Result]) -> list[Row]:
    names = dict.fromkeys(name for one in results for name in one["hops_ms"])
    return [_row(name, lambda one, name=name: one["hops_ms"].get(name)) for name in names]  # type: ignore[misc]


def _circumstances(results: Sequence[Result]) -> list[Row]:
    rows = [
        _row("started", lambda one: _moment(one["started_ns"])),
        _row("commit", lambda one: one["commit"]),
        _row("seed", lambda one: one["seed"]),
        _row("faults", lambda one: "; ".join(map(_fault, one["faults"]))),
    ]
    for group in ("settings", "machine", "versions"):
        names = dict.fromkeys(name for one in results for name in one[group])
        rows += [_row(name, lambda one, g=group, n=name: one[g].get(n)) for name in names]  # type: ignore[misc]
    return rows


def _table(title: str, results: Sequence[Result], rows: Sequence[Row]) -> str:
    if not rows:
        return ""
    heads = "".join(f"<th>{escape(_short(one))}</th>" for one in results) if len(results) > 1 else ""
    head = f"<tr><th></th>{heads}</tr>" if heads else ""
    lines = "".join(
        f"<tr><th>{escape(name)}</th>"
        + "".join(f"<td{_class(wrong(one))}>{escape(text(one))}</td>" for one in results)
        + "</tr>"
        for name, text, wrong in rows
    )
    return f'<h2>{escape(title)}</h2><div class="scroll"><table>{head}{lines}</table></div>'


def _class(wrong: bool) -> str:  # noqa: FBT001 - the answer of a row's own question
    return ' class="bad"' if wrong else ""


def _latency_chart(results: Sequence[Result]) -> str:
    lines = [(_short(one), one["histogram"]["percentiles_ms"]) for one in results]
    keys = "".join(
        f'<span class="key" style="background: var(--c{index % 6})"></span>{escape(label)}'
        for index, (label, _) in enumerate(lines)
    )
    text = "milliseconds (logarithmic) by percentile"
    return f'<p class="soft">{text}{keys if len(lines) > 1 else ""}</p>{charts.latency(lines)}'


def _timeline(result: Result) -> str:
    key = (
        '<span class="key" style="background: var(--bar)"></span>acknowledged'
        '<span class="key" style="background: var(--due)"></span>due, never acknowledged'
        '<span class="key" style="background: var(--p99)"></span>p99, right axis, ms'
        '<span class="key" style="background: var(--fault)"></span>a fault'
    )
    chart = charts.timeline(result["timeline"], result["faults"])
    return f'<h2>By the second: {escape(_short(result))}</h2><p class="soft">messages{key}</p>{chart}'


def _short(result: Result) -> str:
    return f"{result['run']} ({result['rate']:,g}/s)"


def _moment(ns: int) -> str:
    return datetime.fromtimestamp(ns / 1e9, UTC).isoformat(timespec="seconds")


def _fault(fault: dict[str, Any]) -> str:
    return f"{fault['from_s']:g}–{fault['until_s']:g} s {fault['text']}"


def _of(result: Result, results: Sequence[Result]) -> str:
    """Which of several results a sentence is about."""
    return f"{_short(result)}: " if len(results) > 1 else ""


def _pairs(values: dict[str, Any]) -> str:
    return ", ".join(f"{count:,} × {name}" for name, count in values.items())


def _text(value: object) -> str:
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.4g}" if value < 1_000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
