"""Throughput and losses side by side: ``python -m bench.rivals.picture PICTURE.png RESULT.json …``"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

ACCEPTED, STORED, LOST = "#9db8d9", "#2f5d97", "#b3261e"


def main(picture: Path, results: list[Path]) -> None:
    """Draw what was measured with Redis's fsync at each write; of several runs of a queue the last one."""
    sites = [site for path in results for site in json.loads(path.read_text())["sites"]]
    measured = {site["name"]: site for site in sites if site["appendfsync"] == "always" and "wrk_64" in site}
    lost = {site["name"]: site["loss"]["lost"] for site in sites if "lost" in site.get("loss", {})}
    draw(measured, lost).savefig(picture, dpi=110)


def draw(measured: Mapping[str, Mapping[str, Any]], lost: Mapping[str, int]) -> Figure:
    """The fastest on top, by messages stored."""
    order = sorted(measured, key=lambda name: measured[name]["wrk_64"]["stored_per_s"])
    figure = Figure(figsize=(9, 4), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=[3, 1])
    rows = range(len(order))
    for offset, key, colour, text in (
        (0.2, "accepted_per_s", ACCEPTED, "accepted"),
        (-0.2, "stored_per_s", STORED, "stored"),
    ):
        values = [measured[name]["wrk_64"][key] for name in order]
        bars = left.barh([row + offset for row in rows], values, 0.38, color=colour, label=text)
        left.bar_label(bars, [f"{value:,.0f}" for value in values], padding=3, fontsize=8)
    left.set_yticks(list(rows), order)
    left.set_title("messages a second, 64 connections")
    left.legend(loc="lower right", frameon=False)
    right.barh(list(rows), [lost.get(name, 0) for name in order], 0.5, color=LOST)
    for row, name in enumerate(order):
        right.text(lost.get(name, 0) + 0.1, row, str(lost.get(name, "not measured")), va="center", fontsize=8)
    right.set_title("lost, of 6,000")
    for axes in (left, right):
        axes.spines[["top", "right", "bottom"]].set_visible(False)
        axes.tick_params(bottom=False, labelbottom=False, left=False)
        axes.margins(x=0.15)
    return figure


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]])
