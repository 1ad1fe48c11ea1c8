"""What happened in a run, from the heads of its journal: invocations and calls, as tables that DuckDB can ask."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from harness.report.html.clusters import Failure
from harness.run.journal import heads

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

_MEMORY = re.compile(r'Max Memory Used: (\d+) MB|"maxMemoryUsedMB": (\d+)')
_INIT = re.compile(r'Init Duration: ([\d.]+) ms|"initDurationMs": ([\d.]+)')
# An event is a text within the entry, so that its quotes are escaped.
_ARRIVAL = b'\\"approximateArrivalTimestamp\\": '
_ARRIVED = re.compile(re.escape(_ARRIVAL) + rb"([\d.]+)")
_WRITES = frozenset({"s3.PutObject", "s3.CopyObject", "s3.CompleteMultipartUpload"})

_SCHEMA = pa.schema(
    [
        ("kind", pa.string()),
        ("id", pa.string()),
        ("who", pa.string()),
        ("call", pa.string()),
        ("within", pa.string()),
        ("at_ms", pa.float64()),
        ("took_ms", pa.float64()),
        ("failed", pa.bool_()),
        ("hurt", pa.bool_()),
        ("memory_mb", pa.int64()),
        ("init_ms", pa.float64()),
        ("age_ms", pa.float64()),
    ]
)


@dataclass(frozen=True, slots=True)
class Happened:
    """`table` has a row for each invocation, call and init (see _SCHEMA): who made it, of a call within which invocation, how long it took, whether it failed, and whether a fault met it or, of an
    invocation, one of its calls. `init_ms` is how long the init before it took, which is no part of `took_ms`. `age_ms` is the iterator age of a batch of Kinesis: how old its last record was."""

    table: pa.Table
    sites: Mapping[str, tuple[str, str]]
    """By request id, who called what; of an invocation, the function and no call."""
    failed_calls: Mapping[str, Failure]
    """By the request id of an invocation, the last of its calls that failed and was not repeated with success."""
    puts: pa.Table
    """When each object of S3 was written last, by its place."""


def happened(run_dir: Path, met: Mapping[str, Sequence[str]], named: Callable[[str], str]) -> Happened:
    """Reads the journal; it is empty where the run has none. `met` has the faults of each request, `named` puts the template's names in place of those that were made of
    them."""
    rows: list[dict[str, Any]] = []
    sites: dict[str, tuple[str, str]] = {}
    failed_calls: dict[str, dict[str, Failure]] = defaultdict(dict)
    puts: dict[str, float] = {}
    hurt = set(met)
    for entry, line in heads(run_dir):
        kind = entry["kind"]
        who = named(entry["name"])
        row: dict[str, Any] = {
            "kind": kind,
            "id": entry["id"],
            "who": who,
            "call": entry.get("call") or "",
            "within": entry.get("invocation") or "",
            "at_ms": entry["at_ms"],
        }
        row["failed"] = bool(entry.get("error")) or (kind == "call" and entry["status"] == 0)
        row["took_ms"] = max(0, entry["at_ms"] - (entry.get("began_ms") or entry["at_ms"]))
        if kind == "call":
            if entry["id"] in met:
                hurt.add(entry["invocation"])
            others = failed_calls[entry["invocation"]]
            others.pop(row["call"], None)
            if row["failed"] or entry["id"] in met:
                answer = entry["error"] or f"answered {entry['status']}"
                others[row["call"]] = Failure(who, row["call"], answer, tuple(met.get(entry["id"], ())))
            elif row["call"] in _WRITES and entry.get("put"):
                puts[f"s3://{entry['put']}"] = entry["at_ms"]
        elif kind == "invocation":
            row |= {
                "took_ms": entry["took_ms"],
                "memory_mb": _memory(entry["log"] or ""),
                "init_ms": _init(entry["log"] or ""),
                "age_ms": _age(line, entry),
            }
        if kind in {"call", "invocation"}:
            sites[entry["id"]] = who, row["call"]
        rows.append(row)
    for row in rows:
        row["hurt"] = row["id"] in hurt
    last_failed = {invocation: next(reversed(calls.values())) for invocation, calls in failed_calls.items() if calls}
    written = pa.table({"place": pa.array(puts, pa.string()), "at_ms": pa.array(puts.values(), pa.float64())})
    return Happened(pa.Table.from_pylist(rows, schema=_SCHEMA), sites, last_failed, written)


def _memory(log: str) -> int | None:
    *_, (text, json) = _MEMORY.findall(log) or [("", "")]
    return int(text or json) if text or json else None


def _init(log: str) -> float | None:
    *_, (text, json) = _INIT.findall(log) or [("", "")]
    return float(text or json) if text or json else None


def _age(line: bytes, entry: Mapping[str, Any]) -> float | None:
    at = line.rfind(_ARRIVAL)
    found = _ARRIVED.match(line, at) if at >= 0 else None
    return max(0.0, (entry.get("began_ms") or entry["at_ms"]) - float(found[1]) * 1000) if found else None
