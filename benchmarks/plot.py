"""Draw what was measured, for the README."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt

from benchmarks.measure import Times

OURS, THEIRS, INK = "#c2410c", "#94a3b8", "#334155"


def bars(panels: Mapping[str, Mapping[str, Times]], path: Path) -> None:
    """Draw a panel of bars each: milliseconds of every contender, the fastest on top."""
    mpl.rcParams.update({"font.size": 9, "text.color": INK, "svg.fonttype": "none"})
    tall = max(len(times) for times in panels.values())
    rows = -(-len(panels) // 2)
    figure, axes = plt.subplots(rows, 2, figsize=(9, rows * (0.7 + 0.26 * tall)), squeeze=False)
    for axis in axes.flat[len(panels) :]:
        axis.remove()
    for axis, (title, times) in zip(axes.flat, panels.items(), strict=False):
        ranked = sorted(times.items(), key=lambda item: -item[1].median)
        names = [name for name, _ in ranked]
        milliseconds = [t.median * 1000 for _, t in ranked]
        colours = [OURS if name == "imgconv" else THEIRS for name in names]
        axis.barh(names, milliseconds, color=colours, height=0.7)
        for y, value in enumerate(milliseconds):
            axis.text(value, y, f" {value:,.0f} ms", va="center")
        axis.set_title(title, fontsize=10, loc="left", color=INK)
        axis.set_xlim(0, max(milliseconds) * 1.25)
        axis.set_ylim(len(names) - tall - 0.5, len(names) - 0.5)  # bars of one height everywhere
        axis.set_xticks([])
        axis.tick_params(axis="y", length=0, colors=INK)
        axis.spines[:].set_visible(False)
    figure.tight_layout(w_pad=3, h_pad=2)
    figure.savefig(path, dpi=110)
