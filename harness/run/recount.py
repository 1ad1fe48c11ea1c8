"""The account of a run that has ended, made anew from its tables: on another engine, or by another version."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from harness.accounting.reconcile import reconcile
from harness.documents import read_json
from harness.errors import UsageError
from harness.run.run_dir import LEDGER, OBSERVATIONS, put_besides, readable, require_run

if TYPE_CHECKING:
    from pathlib import Path

    from harness.accounting.verdict import Account

_COMPARED = ("ingress", "outcome", "anomalies")


@dataclass(frozen=True, slots=True)
class Recount:
    """The account, and what result.json says otherwise, a line for each figure. `is_new`: it says nothing, because that run was not reconciled."""

    account: Account
    differences: tuple[str, ...]
    is_new: bool


def recount(run_dir: Path, engine: str) -> Recount:
    """Reconciles the tables of a run on an engine (see `engines.ENGINES`), and writes its outcomes and anomalies anew. Raises UsageError for a directory without tables, and as
    `engines.run` does."""
    require_run(run_dir)
    if missing := [name for name in (LEDGER, OBSERVATIONS) if not (run_dir / name).is_file()]:
        raise UsageError(f"{run_dir} has no {' and no '.join(missing)}: there is nothing to reconcile")
    with readable(run_dir):
        account = reconcile(run_dir / LEDGER, run_dir / OBSERVATIONS, run_dir, lookup=put_besides(run_dir), engine=engine)
        path = run_dir / "result.json"
        told = read_json(path, "result") if path.is_file() else {}
        found = asdict(account)
        before: dict[str, dict[str, Any]] = {part: told.get(part) or {} for part in _COMPARED}
        is_new = not told or None in before["anomalies"].values()
        differences = tuple(
            f"{name}: {before[part].get(name):,} in result.json, {count:,} now"
            for part in _COMPARED
            for name, count in found[part].items()
            if not is_new and before[part].get(name) != count
        )
    return Recount(account, differences, is_new)
