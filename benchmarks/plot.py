"""Draw what was measured, for the README."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt

from benchmarks.measure import Times

OURS, THEIRS, INK, FAINT = "#c2410c", "#94a3b8", "#334155", "#e2e8f0"
Ratios = Mapping[str, Mapping[str, float]]
Panels = Mapping[str, Mapping[str, Times]]


def draw(ratios: Ratios, panels: Panels, path: Path) -> None:
    """Draw the ratios to OpenCV by picture and job, and below them whole programs, if measured."""
    mpl.rcParams.update({"font.size": 8.5, "text.color": INK, "axes.titlesize": 9.5})
    heights = [0.9 + 0.2 * _tallest(ratios), 0.8 + 0.26 * _tallest(panels) if panels else 0.01]
    figure: Any = plt.figure(figsize=(9, sum(heights)), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=heights)
    if _tallest(ratios):
        _ratios(above, ratios)
    if _tallest(panels):
        _bars(below, panels)
    figure.savefig(path, dpi=110)


def _tallest(columns: Mapping[str, Mapping[str, Any]]) -> int:
    return max(map(len, columns.values()), default=0)


def _ratios(figure: Any, ratios: Ratios) -> None:
    """Draw a panel a picture: bars from 1, to the right where we are ahead."""
    figure.suptitle(
        "Times as fast as OpenCV's fastest routine, in memory: right of 1 imgconv is ahead",
        fontsize=10, x=0.01, ha="left", weight="bold",
    )  # fmt: skip
    least = min(min(column.values()) for column in ratios.values())
    most = max(max(column.values()) for column in ratios.values())
    panels = figure.subplots(1, len(ratios), sharex=True, sharey=True, squeeze=False).flat
    for axis, (title, column) in zip(panels, ratios.items(), strict=True):
        names, values = list(column), list(column.values())
        colours = [OURS if value >= 1 else THEIRS for value in values]
        axis.axvline(1, color=INK, linewidth=0.8, zorder=3)
        axis.barh(names, [value - 1 for value in values], left=1, color=colours, height=0.66)
        for name, value in column.items():
            side = 1 if value >= 1 else -1
            axis.annotate(
                f"{value:.1f}" if value >= 0.95 else f"{value:#.2g}", (value, name), (3 * side, 0),
                textcoords="offset points", va="center", ha="left" if side > 0 else "right",
            )  # fmt: skip
        axis.set_xscale("log")
        axis.set_xlim(least / 6, most * 4)  # room for the numbers
        axis.set_ylim(len(names) - 0.4, -0.6)
        axis.set_title(title, loc="left", color=INK)
        axis.grid(axis="x", color=FAINT)
        axis.set_axisbelow(True)
        axis.xaxis.set_major_formatter("{x:g}")
        axis.tick_params(which="both", length=0, colors=INK)
        axis.spines[:].set_visible(False)


def _bars(figure: Any, panels: Panels) -> None:
    """Draw a panel of bars each: milliseconds of every contender, the fastest on top."""
    figure.suptitle(
        "Whole programs, sobel-left, milliseconds", fontsize=10, x=0.01, ha="left", weight="bold"
    )
    axes, tall = figure.subplots(1, len(panels), squeeze=False).flat, _tallest(panels)
    for axis, (title, times) in zip(axes, panels.items(), strict=True):
        ranked = sorted(times.items(), key=lambda item: item[1].median)
        names = [name for name, _ in ranked]
        milliseconds = [t.median * 1000 for _, t in ranked]
        colours = [OURS if name == "imgconv" else THEIRS for name in names]
        axis.barh(names, milliseconds, color=colours, height=0.7)
        for y, value in enumerate(milliseconds):
            axis.text(value, y, f" {value:,.0f}", va="center")
        axis.set_title(title, loc="left", color=INK)
        axis.set_xlim(0, max(milliseconds) * 1.25)
        axis.set_ylim(tall - 0.5, -0.5)  # bars of one height everywhere
        axis.set_xticks([])
        axis.tick_params(axis="y", length=0, colors=INK)
        axis.spines[:].set_visible(False)
