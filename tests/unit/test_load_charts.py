"""What the charts of a report draw, by the numbers in their SVG."""

import re
from typing import Any

import pytest

from load import charts

SECONDS = [{"due": 10, "acknowledged": 10, "p99_ms": 5.0} for _ in range(10)]
ROOM = charts.WIDTH - charts.LEFT - charts.RIGHT


def bands(*faults: tuple[float, float]) -> list[tuple[float, float]]:
    """Where each fault is drawn: its left edge and its width, in seconds."""
    faults_shown: list[dict[str, Any]] = [
        {"from_s": one, "until_s": other, "text": "x"} for one, other in faults
    ]
    found = re.findall(
        r'<rect class="fault" x="([\d.]+)" width="([\d.]+)"', charts.timeline(SECONDS, faults_shown)
    )
    return [((float(x) - charts.LEFT) / ROOM * 10, float(width) / ROOM * 10) for x, width in found]


def test_a_fault_is_drawn_where_it_was_and_never_too_narrow_to_be_seen() -> None:
    (long, short) = bands((2, 5), (7, 7))
    assert long == pytest.approx((2, 3), abs=0.01)
    assert short == pytest.approx((7, 0.2), abs=0.01)


def test_a_fault_that_goes_on_ends_with_the_chart() -> None:
    assert bands((8, 99)) == [pytest.approx((8, 2), abs=0.01)]


@pytest.mark.parametrize("highest_ms", [0.2, 1, 7, 100, 1_000, 12_345])
def test_the_axis_goes_beyond_the_highest_latency_so_that_no_line_lies_on_the_edge(highest_ms: float) -> None:
    chart = charts.latency([("one", [[50, 0.15], [99, highest_ms], [100, highest_ms]])])
    (line,) = re.findall(r'<polyline [^>]*points="([^"]*)"', chart)
    heights = [float(point.partition(",")[2]) for point in line.split()]
    assert min(heights) > charts.TOP
    assert max(heights) <= charts.HEIGHT - charts.BOTTOM


def test_every_result_has_a_line_and_a_latency_of_nothing_has_none() -> None:
    chart = charts.latency([("<one>", [[50, 1], [100, 2]]), ("two", [[50, 0], [100, 2]])])
    lines = re.findall(r'<polyline class="line (c\d)" points="([^"]*)"><title>([^<]*)</title>', chart)
    assert [(colour, len(points.split()), label) for colour, points, label in lines] == [
        ("c0", 2, "&lt;one&gt;"),
        ("c1", 1, "two"),
    ]


def test_a_second_without_an_answer_has_no_p99_and_one_between_two_such_is_still_seen() -> None:
    answered = {"due": 1, "acknowledged": 1, "p99_ms": 5.0}
    nothing = {"due": 0, "acknowledged": 0, "p99_ms": None}
    chart = charts.timeline([answered, answered, nothing, answered, nothing], [])
    lines = [
        [tuple(map(float, point.split(","))) for point in line.split()]
        for line in re.findall(r'<polyline class="line p99" points="([^"]*)"', chart)
    ]
    second = ROOM / 5
    assert [[round((x - charts.LEFT) / second, 1) for x, _ in line] for line in lines] == [
        [0.5, 1.5],
        [3.3, 3.7],
    ]
    assert len({y for line in lines for _, y in line}) == 1
