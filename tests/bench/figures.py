"""What a benchmark tells: figures with their spread, their targets, and the machine that they are of."""

from __future__ import annotations

import json
import os
import statistics
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured quantity: all rounds, in `unit`; `target` is what it should reach, `better` in which direction."""

    name: str
    unit: str
    rounds: tuple[float, ...]
    target: float | None = None
    better: str = "higher"

    @property
    def median(self) -> float:
        return statistics.median(self.rounds)

    @property
    def met(self) -> bool | None:
        if self.target is None:
            return None
        return self.median >= self.target if self.better == "higher" else self.median <= self.target


def machine_load() -> str:
    """Cores, and the load average when the measurement began: a figure of a busy machine is worth less."""
    return f"{os.cpu_count()} cores, load average {' '.join(f'{value:.2f}' for value in os.getloadavg())}, Python {sys.version.split()[0]}"


def write(figures: Sequence[Figure], out: Path) -> None:
    """All figures as JSON."""
    out.parent.mkdir(parents=True, exist_ok=True)
    document = {"machine": machine_load(), "figures": [{**asdict(f), "median": f.median, "met": f.met} for f in figures]}
    out.write_text(json.dumps(document, indent=2) + "\n")


def table(figures: Sequence[Figure]) -> list[tuple[str, str, str, str, str]]:
    """Rows: name, median, smallest to largest, target, whether it was met."""

    def number(value: float) -> str:
        return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"

    return [
        (
            f"{f.name} [{f.unit}]",
            number(f.median),
            f"{number(min(f.rounds))} – {number(max(f.rounds))}",
            "" if f.target is None else f"{'≥' if f.better == 'higher' else '≤'} {f.target:g}",
            {True: "met", False: "missed", None: ""}[f.met],
        )
        for f in figures
    ]
