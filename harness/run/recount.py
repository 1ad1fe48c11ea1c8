"""The account of a run that has ended, made anew from its tables: on another engine, or by another version."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow.parquet as pq

from harness.accounting import ledger, observations
from harness.accounting.reconcile import reconcile
from harness.documents import read_json
from harness.errors import UnknownVerdictError, UsageError
from harness.run.run_dir import LEDGER, OBSERVATIONS, put_besides, readable, require_run

if TYPE_CHECKING:
    from pathlib import Path

    from harness.accounting.verdict import Account

_COMPARED = ("ingress", "outcome", "anomalies")
_TABLES = {LEDGER: ledger.SCHEMA, OBSERVATIONS: observations.SCHEMA}


@dataclass(frozen=True, slots=True)
class Recount:
    """The account, and the figures that are others in result.json, a line for each. `is_new`: it has no account, because that run was not reconciled."""

    account: Account
    differences: tuple[str, ...]
    is_new: bool


def recount(run_dir: Path, engine: str) -> Recount:
    """Reconciles the tables of a run on an engine (see `engines.ENGINES`), and writes its outcomes and anomalies anew. Raises UsageError for a directory without whole tables, and as
    `engines.run` does."""
    require_run(run_dir)
    # `latest` may be another run before this ends.
    run_dir = run_dir.resolve()
    if missing := [name for name in _TABLES if not (run_dir / name).is_file()]:
        raise UsageError(f"{run_dir} has no {' and no '.join(missing)}: there is nothing to reconcile")
    with readable(run_dir):
        for name, schema in _TABLES.items():
            if lacking := set(schema.names) - set(pq.read_schema(run_dir / name).names):
                raise UsageError(f"{run_dir / name} has no column {', '.join(sorted(lacking))}: another version wrote it")
        path = run_dir / "result.json"
        told = read_json(path, "result") if path.is_file() else {}
        before = {part: _counts(told, part) for part in _COMPARED}
    try:
        account = reconcile(run_dir / LEDGER, run_dir / OBSERVATIONS, run_dir, lookup=put_besides(run_dir), engine=engine)
    except (duckdb.Error, OSError) as error:
        raise UnknownVerdictError(f"{run_dir} could not be reconciled: {str(error).splitlines()[0]}") from error
    found = asdict(account)
    is_new = not all(before.values())
    differences = tuple(
        f"{name}: {before[part].get(name, 'nothing')} in result.json, {count} now"
        for part in _COMPARED
        for name, count in found[part].items()
        if not is_new and before[part].get(name) != count
    )
    return Recount(account, differences, is_new)


def _counts(told: Any, part: str) -> dict[str, int]:
    """Returns what result.json counts in a part; nothing where the run was not reconciled, or the file is no result."""
    counts = told.get(part) if isinstance(told, dict) else None
    is_counted = isinstance(counts, dict) and all(isinstance(count, int) for count in counts.values())
    return dict(counts) if is_counted and counts is not None else {}
