"""What a benchmark measures: named figures, a value of each per run."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Values = Mapping[str, float]
"""The value of each figure in one run, by the figure's name."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table."""

    text: str
    """What it is, human-readable."""
    unit: str
    goal: str = ""
    """What is to be reached; empty: nothing is."""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """Measures the system of a checkout, or a part of it."""

    about: str
    figures: Mapping[str, Figure]
    run: Callable[[Path], Values]
    """Measures once. Keys that begin with ``cpu:`` are processors used by a process, by its name."""
    beside: bool = True
    """Whether an older checkout can be measured too: everything is measured from outside."""
    by_default: bool = True
    """Whether it is measured where no name is given."""


def summary(figure: Figure, values: Sequence[float]) -> dict[str, Any]:
    """A figure's values, their mean and sample standard deviation, as JSON has them."""
    return {
        "text": figure.text,
        "unit": figure.unit,
        "goal": figure.goal,
        "values": [_rounded(value) for value in values],
        "mean": _rounded(statistics.mean(values)),
        "deviation": _rounded(statistics.stdev(values)) if len(values) > 1 else None,
    }


def percentile(values: Sequence[float], share: float) -> float:
    """By nearest rank: the smallest value that at least this share of them does not exceed."""
    return sorted(values)[max(0, -int(-share * len(values) // 1) - 1)]


def _rounded(value: float) -> float:
    """To four significant digits."""
    return float(f"{value:.4g}")
