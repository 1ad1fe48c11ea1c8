"""Rows of a query on the terminal: a table for a person, CSV or JSON lines for a program."""

from __future__ import annotations

import csv
import sys
from typing import TYPE_CHECKING

import click
from pydantic_core import to_json
from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.run.query import Rows

_NUMBERS = frozenset({"tinyint", "smallint", "integer", "int", "bigint", "float", "real", "double", "decimal"})


def written(found: Rows, form: str) -> None:
    """Writes the rows to standard output as `form` (table, csv, json), and what the query cost to standard error."""
    names = [name for name, _ in found.columns]
    if form == "json" and len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UsageError(
            f"two columns are called {twice}, which a JSON object cannot hold: name one of them with AS, or use --format csv"
        )
    match form:
        case "csv":
            lines = csv.writer(sys.stdout, lineterminator="\n")
            lines.writerow(names)
            lines.writerows([["" if cell is None else cell for cell in row] for row in found.rows])
        case "json":
            for row in found.rows:
                click.echo(to_json(dict(zip(names, row, strict=True))).decode())
        case _:
            _table(found)
    # Rows come before what they cost, also where both streams go to one pipe.
    sys.stdout.flush()
    count = "1 row" if len(found.rows) == 1 else f"{len(found.rows):,} rows"
    click.echo(f"{count}, {found.scanned_bytes:,} bytes scanned, {found.took_s:.1f} s", err=True)


def _table(found: Rows) -> None:
    if not found.columns:
        return
    table = Table(box=None)
    for name, kind in found.columns:
        table.add_column(Text(name), justify="right" if kind in _NUMBERS else "left")
    for row in found.rows:
        # A null is told from an empty text.
        table.add_row(*(Text("NULL", "dim") if cell is None else Text(cell) for cell in row))
    console = Console() if sys.stdout.isatty() else Console(width=10_000)
    console.print(table)
