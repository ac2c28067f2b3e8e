"""The figures as a picture."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl

mpl.use("svg")

from matplotlib import pyplot as plt

from benchmarks.report import Results
from benchmarks.targets import NAMES

_COLORS = {"batchline": "#1f6feb", "chunked": "#bf8700", "naive": "#d1242f", "floor": "#6e7781"}


def draw(results: Results, path: Path) -> None:
    """Write items a second by size to `path`, every run a dot and a line through the medians."""
    mpl.rcParams["svg.hashsalt"] = "batchline"
    figure, axes = plt.subplots(figsize=(7.5, 4.5), layout="constrained")
    for name, color in _COLORS.items():
        sizes = [items for items in results.sizes if results.of(name, items)]
        rates = [items / (results.seconds(name, items) or 1) for items in sizes]
        axes.plot(sizes, rates, color=color, marker="o", label=NAMES[name])
        for items in sizes:
            runs = results.of(name, items)
            axes.plot(
                [items] * len(runs),
                [items / run.seconds for run in runs],
                color=color,
                marker="_",
                linestyle="none",
                alpha=0.6,
            )
        for items, rate in zip(sizes, rates, strict=True):
            axes.annotate(
                f"{rate:,.0f}",
                (items, rate),
                xytext=(0, 7),
                textcoords="offset points",
                ha="center",
                fontsize=8,
                color=color,
            )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(results.sizes, [f"{items:,}" for items in results.sizes])
    axes.minorticks_off()
    axes.set_xlabel("items in the batch")
    axes.set_ylabel("items a second, from request to summary")
    axes.margins(0.12)
    axes.grid(alpha=0.25)
    axes.legend(frameon=False)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
