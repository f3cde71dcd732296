"""A message's path as a space-time diagram: a line for each service, time from left to right.

The steps are not to scale: a message may take a millisecond to the gateway and then wait for an hour. Each
step's width grows with the logarithm of its time, and its time is written beside it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from pipeline.clock import NS_PER_MS
from web import formatting
from web.trace import Moment, Trace

WIDTH = 720
LEFT = 110
RIGHT = 70
TOP = 30
LANE = 46
"""Lengths in the units of the SVG's view box."""

ON_THE_WAY = ("waiting", "held")


@dataclass(frozen=True, slots=True)
class Lane:
    """The line of one service."""

    name: str
    y: int


@dataclass(frozen=True, slots=True)
class Point:
    """A moment in the diagram."""

    x: float
    y: int
    what: str
    step: str
    """The time since the moment before; empty for the first."""
    backwards: bool
    """Whether it is earlier than the moment before: two clocks differ."""


@dataclass(frozen=True, slots=True)
class Diagram:
    """What the template draws."""

    width: int
    height: int
    lanes: tuple[Lane, ...]
    points: tuple[Point, ...]
    end: Point | None
    """Now, for a message that is still on its way."""

    @property
    def path(self) -> str:
        """The message's line."""
        return " ".join(f"{point.x:.1f},{point.y}" for point in self.points)

    @property
    def description(self) -> str:
        """The diagram as a sentence."""
        return ", ".join(f"{point.what} {point.step}".strip() for point in self.points) or "nothing is known"


def diagram(trace: Trace, now_ns: int) -> Diagram:
    """The diagram of a message at ``now_ns`` (Unix ns)."""
    moments = list(trace.moments)
    names = list(dict.fromkeys(moment.service for moment in moments))
    lanes = {name: TOP + LANE * index for index, name in enumerate(names)}
    waits = trace.state in ON_THE_WAY and bool(moments)
    if waits:
        moments.append(Moment("now", now_ns, moments[-1].service))
    points = _points(moments, lanes)
    return Diagram(
        width=WIDTH,
        height=TOP + LANE * max(1, len(names)),
        lanes=tuple(Lane(name, y) for name, y in lanes.items()),
        points=tuple(points[:-1] if waits else points),
        end=points[-1] if waits else None,
    )


def _points(moments: Sequence[Moment], lanes: dict[str, int]) -> list[Point]:
    steps_ms = [(later.at_ns - earlier.at_ns) / NS_PER_MS for earlier, later in pairwise(moments)]
    widths = [0.6 + math.log10(1 + abs(ms)) for ms in steps_ms]
    unit = (WIDTH - LEFT - RIGHT) / (sum(widths) or 1)
    points, x = [], float(LEFT)
    for index, moment in enumerate(moments):
        step_ms = steps_ms[index - 1] if index else None
        x += widths[index - 1] * unit if index else 0
        text = "" if step_ms is None else f"+{formatting.with_unit(step_ms)}".replace("+−", "−")
        points.append(Point(x, lanes[moment.service], moment.what, text, (step_ms or 0) < 0))
    return points
