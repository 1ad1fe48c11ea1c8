"""Whether a replay has repeated what it is a replay of: the same anomalies, of the same records."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from harness.accounting.reconcile import ANOMALIES_FILE
from harness.run.run_dir import LEDGER, readable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_MAX_NAMED = 3


def anomalies(run_dir: Path) -> Counter[tuple[str, str]] | None:
    """Returns how often each (anomaly, record id) is in a run; None where the run was not reconciled. Raises UsageError where the table cannot be read."""
    path = run_dir / ANOMALIES_FILE
    if not path.is_file():
        return None
    with readable(run_dir):
        table = pq.read_table(path, columns=["anomaly", "record_id"])
        uploads = _uploads(run_dir / LEDGER)
        names = [_again(name or "", uploads) for name in table["record_id"].to_pylist()]
        return Counter(zip(table["anomaly"].to_pylist(), names, strict=True))


def _uploads(ledger: Path) -> dict[str, str]:
    """Maps each upload in a ledger (`key@version`) to its key; the n-th upload of one key to `key (n)`."""
    if not ledger.is_file():
        return {}
    shards = dict.fromkeys(pq.read_table(ledger, columns=["shard"])["shard"].to_pylist())
    keys = Counter[str]()
    names = {}
    for shard in shards:
        key, is_upload, _ = (shard or "").rpartition("@")
        if is_upload:
            keys[key] += 1
            names[shard] = key if keys[key] == 1 else f"{key} ({keys[key]})"
    return names


def _again(name: str, uploads: Mapping[str, str]) -> str:
    """Returns a name that two runs can share. A phantom is named `upload:line`; the version of the upload, which each run draws anew, is
    left out. Every other name stays as it is."""
    shard, colon, sequence = name.rpartition(":")
    return f"{uploads[shard]}:{sequence}" if colon and shard in uploads else name


@dataclass(frozen=True, slots=True)
class Comparison:
    """`same`: the two runs have the same anomalies of the same records. `text` says it for a person."""

    same: bool
    text: str


def compare(earlier: Path, now: Path) -> Comparison | None:
    """Compares a replay with the run that it repeats; None where one of them was not reconciled, so that there is nothing to compare."""
    before, after = anomalies(earlier), anomalies(now)
    if before is None or after is None:
        return None
    if before == after:
        count = before.total()
        return Comparison(
            same=True, text=f"the same {count:,} anomalies, of the same records" if count else "no anomaly, as before"
        )
    parts = []
    for anomaly in sorted({name for name, _ in before | after}):
        gone = _of(anomaly, before - after)
        new = _of(anomaly, after - before)
        if gone or new:
            parts.append(f"{anomaly}: " + ", ".join([*_told(gone, "not again"), *_told(new, "only now")]))
    return Comparison(same=False, text="; ".join(parts))


def _of(anomaly: str, found: Counter[tuple[str, str]]) -> list[str]:
    return [record_id for (name, record_id), count in sorted(found.items()) if name == anomaly for _ in range(count)]


def _told(record_ids: list[str], when: str) -> list[str]:
    if not record_ids:
        return []
    named = ", ".join(record_ids[:_MAX_NAMED]) + (", …" if len(record_ids) > _MAX_NAMED else "")
    return [f"{len(record_ids):,} {when} ({named})"]
