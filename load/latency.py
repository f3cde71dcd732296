"""Percentiles, by HdrHistogram (https://github.com/HdrHistogram/HdrHistogram_py)."""

from collections.abc import Iterable
from typing import Any

from hdrh.histogram import HdrHistogram

DIGITS = 3
"""A value is kept to three significant digits."""
PERCENTILES = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p999": 99.9, "max": 100.0}
LADDER = (0, 10, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 99.95, 99.99, 99.995, 99.999, 100)
_MAX_US = 2**32


class Latencies:
    """A histogram of microseconds."""

    def __init__(self, values_us: Iterable[int] = ()) -> None:
        self._histogram = HdrHistogram(1, _MAX_US, DIGITS)
        for value_us in values_us:
            self.add(value_us)

    def add(self, value_us: int, count: int = 1) -> None:
        self._histogram.record_value(max(1, value_us), count)

    @property
    def count(self) -> int:
        return int(self._histogram.get_total_count())

    def ms(self, percentile: float) -> float | None:
        """The value at a percentile in milliseconds; None where there is none."""
        if not self.count:
            return None
        return float(self._histogram.get_value_at_percentile(percentile)) / 1_000

    def summary_ms(self) -> dict[str, float | None]:
        """The usual percentiles, the mean and the maximum, in milliseconds."""
        mean = round(self._histogram.get_mean_value() / 1_000, 3) if self.count else None
        return {name: self.ms(percentile) for name, percentile in PERCENTILES.items()} | {"mean": mean}

    def histogram(self) -> dict[str, Any]:
        """The histogram as other programs read it: V2, compressed, base64."""
        return {
            "format": "HdrHistogram V2 compressed, base64",
            "unit": "us",
            "count": self.count,
            "encoded": self._histogram.encode().decode(),
            "percentiles_ms": [[percentile, self.ms(percentile)] for percentile in LADDER],
        }
