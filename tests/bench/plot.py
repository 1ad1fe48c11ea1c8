"""The plots of the benchmarks, as PNG and SVG: completion time against records, and what sets of parameters trade."""

from __future__ import annotations

import importlib.util
import statistics
from typing import TYPE_CHECKING

from harness.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from matplotlib.figure import Figure

    from tests.bench.batch import Series


_SUFFIXES = (".png", ".svg")


def check(beside: Path) -> None:
    """Raises UsageError where there is nothing to draw with, or the plot would be written over the figures: before anything is measured."""
    if beside.suffix in _SUFFIXES:
        message = f"--out {beside}: the plot is written beside the figures as {' and '.join(_SUFFIXES)}; name a .json file"
        raise UsageError(message)
    if importlib.util.find_spec("matplotlib") is None:
        message = "the plot needs matplotlib, which is not installed here: pip install 'pipeproof[bench]'"
        raise UsageError(message)


def draw(series: Sequence[Series], beside: Path) -> list[Path]:
    """Medians with the smallest and the largest round, seconds against records, both logarithmic. Returns the files, named as `beside`."""
    # A second of importing, and an optional dependency.
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.rcParams["svg.hashsalt"] = "pipeproof"
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    for line in (line for line in series if line.seconds):
        records = sorted(line.seconds)
        medians = [statistics.median(line.seconds[number]) for number in records]
        below = [median - min(line.seconds[number]) for number, median in zip(records, medians, strict=True)]
        above = [max(line.seconds[number]) - median for number, median in zip(records, medians, strict=True)]
        axes.errorbar(records, medians, yerr=(below, above), marker="o", capsize=3, label=line.name)
    axes.set(xscale="log", yscale="log", xlabel="records", ylabel="seconds from the upload to the e-mail")
    axes.grid(visible=True, which="both", alpha=0.3)
    axes.legend()
    return _saved(figure, beside)


def draw_bars(panels: Mapping[str, Mapping[str, Sequence[float]]], beside: Path) -> list[Path]:
    """A panel for each quantity, in it a bar for each set: medians with the smallest and the largest round. Returns the files, named as `beside`."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.rcParams["svg.hashsalt"] = "pipeproof"
    figure = Figure(figsize=(3.2 * len(panels), 4), layout="constrained")
    for axes, (title, bars) in zip(figure.subplots(1, len(panels)), panels.items(), strict=True):
        medians = [statistics.median(rounds) for rounds in bars.values()]
        below = [median - min(rounds) for median, rounds in zip(medians, bars.values(), strict=True)]
        above = [max(rounds) - median for median, rounds in zip(medians, bars.values(), strict=True)]
        axes.bar(list(bars), medians, yerr=(below, above), capsize=3, color=["C0", "C1", "C2"])
        axes.set_title(title, fontsize=10)
        axes.tick_params(axis="x", labelrotation=20)
        axes.grid(visible=True, axis="y", alpha=0.3)
    return _saved(figure, beside)


def draw_ratios(ratios: Mapping[str, Sequence[float]], beside: Path) -> list[Path]:
    """A bar for each row, from 1 on: medians with the smallest and the largest round. Returns the files, named as `beside`."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.rcParams["svg.hashsalt"] = "pipeproof"
    figure = Figure(figsize=(8, 1 + 0.35 * len(ratios)), layout="constrained")
    axes = figure.subplots()
    names = list(reversed(ratios))
    medians = [statistics.median(ratios[name]) for name in names]
    below = [median - min(ratios[name]) for median, name in zip(medians, names, strict=True)]
    above = [max(ratios[name]) - median for median, name in zip(medians, names, strict=True)]
    colours = ["C0" if median >= 1 else "C3" for median in medians]
    # A bar of a logarithmic axis begins at the 1 that it is compared with.
    axes.barh(names, [median - 1 for median in medians], left=1, xerr=(below, above), capsize=3, color=colours)
    axes.set(xscale="log", xlabel="times as fast as the peer")
    ticks = [tick for tick in (0.25, 0.5, 1, 2, 4, 8, 16) if min(medians) / 2 <= tick <= max(medians) * 2]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.axvline(1, color="black", linewidth=1)
    axes.grid(visible=True, axis="x", alpha=0.3)
    return _saved(figure, beside)


def _saved(figure: Figure, beside: Path) -> list[Path]:
    paths = [beside.with_suffix(suffix) for suffix in _SUFFIXES]
    for path in paths:
        # Without the date the same figures give the same file.
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    return paths
