"""Charts of a report, as SVG: latency by percentile, and a run by the second."""

import math
from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby
from typing import Any

WIDTH, HEIGHT = 720, 240
LEFT, RIGHT, TOP, BOTTOM = 56, 56, 14, 30
_TICKS = (0, 50, 90, 99, 99.9, 99.99, 99.999)
_COLOURS = 6

Points = Sequence[tuple[float, float]]


def latency(results: Sequence[tuple[str, Sequence[Sequence[float]]]]) -> str:
    """Latency by percentile, one line per result; each is (label, [[percentile, ms], …])."""
    lines = [[(_nines(percentile), ms) for percentile, ms in ladder if ms] for _, ladder in results]
    values = [ms for line in lines for _, ms in line] or [1.0]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)) + 1e-9)
    high = max(high, low + 1)
    x_most = _nines(100)
    parts = [_grid_x(_x(_nines(tick) / x_most), f"{tick:g}") for tick in _TICKS]
    parts += [_grid_y(_y((n - low) / (high - low)), f"{10.0**n:g}") for n in range(low, high + 1)]
    for index, line in enumerate(lines):
        scaled = [(_x(x / x_most), _y((math.log10(ms) - low) / (high - low))) for x, ms in line]
        parts.append(_polyline(scaled, f"line c{index % _COLOURS}", results[index][0]))
    return _svg("Latency by percentile", parts)


def timeline(seconds: Sequence[dict[str, Any]], faults: Sequence[dict[str, Any]]) -> str:
    """Messages a second as bars, p99 as a line, faults as bands."""
    count = max(1, len(seconds))
    most = max((one["due"] for one in seconds), default=1) or 1
    most_ms = _round_up(max((one["p99_ms"] or 0 for one in seconds), default=1.0))
    shares = (0.0, 0.5, 1.0)
    parts = [_grid_y(_y(share), f"{most * share:,.0f}", f"{most_ms * share:,.4g}") for share in shares]
    step = max(1, count // 10)
    parts += [_label_x(_x(second / count), f"{second} s") for second in range(0, count, step)]
    width = (WIDTH - LEFT - RIGHT) / count
    for index, one in enumerate(seconds):
        parts.append(_bar(index * width, width, one["due"] / most, "due"))
        parts.append(_bar(index * width, width, one["acknowledged"] / most, "acknowledged"))
    parts += [_band(fault, count) for fault in faults]
    for first, values in _consecutive([one["p99_ms"] for one in seconds]):
        line = [(_x((first + i + 0.5) / count), _y(ms / most_ms)) for i, ms in enumerate(values)]
        if len(line) == 1:  # a point would not be seen
            line = [(_x((first + share) / count), line[0][1]) for share in (0.3, 0.7)]
        parts.append(_polyline(line, "line p99", "p99"))
    return _svg("Each second: messages and p99", parts)


def _nines(percentile: float) -> float:
    """Where a percentile is on an axis on which each nine is as long."""
    return math.log10(1 / (1 - min(percentile, 99.999) / 100)) + (0.3 if percentile >= 100 else 0)


def _consecutive(values: Sequence[float | None]) -> Iterator[tuple[int, list[float]]]:
    """Values in a row that are there, each with the place of the first."""
    place = 0
    for is_there, group in groupby(values, lambda value: value is not None):
        found = list(group)
        if is_there:
            yield place, [value for value in found if value is not None]
        place += len(found)


def _round_up(value: float) -> float:
    """The next of 1, 2, 5, 10, …"""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= value)


def _x(share: float) -> float:
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def _y(share: float) -> float:
    return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def _svg(title: str, parts: Sequence[str]) -> str:
    head = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">'
    return head + "".join(parts) + "</svg>"


def _grid_x(x: float, label: str) -> str:
    line = f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>'
    return line + _label_x(x, label)


def _label_x(x: float, label: str) -> str:
    return f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{label}</text>'


def _grid_y(y: float, left: str, right: str = "") -> str:
    line = f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
    text = f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{left}</text>'
    return line + text + (f'<text x="{WIDTH - RIGHT + 6}" y="{y + 4:.1f}">{right}</text>' if right else "")


def _bar(x: float, width: float, share: float, kind: str) -> str:
    y = _y(share)
    size = f'width="{max(0.5, width - 1):.2f}" height="{_y(0) - y:.2f}"'
    return f'<rect class="{kind}" x="{LEFT + x:.2f}" y="{y:.2f}" {size}/>'


def _band(fault: dict[str, Any], seconds: int) -> str:
    left = _x(min(1.0, fault["from_s"] / seconds))
    right = _x(min(1.0, max(fault["until_s"], fault["from_s"] + 0.2) / seconds))
    box = f'x="{left:.1f}" width="{right - left:.1f}" y="{TOP}" height="{HEIGHT - TOP - BOTTOM}"'
    return f'<rect class="fault" {box}><title>{escape(fault["text"])}</title></rect>'


def _polyline(points: Points, kind: str, label: str) -> str:
    text = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline class="{kind}" points="{text}"><title>{escape(label)}</title></polyline>'
