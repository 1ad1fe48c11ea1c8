"""Why things failed in a run: what its functions raised and its executions failed with, counted by what they say, from the run's journal."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import duckdb

from harness.faults.carried import text_of_event
from harness.run.events import Cause
from harness.run.journal import entries
from harness.run.run_dir import LEDGER
from harness.run.trace import renamed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_MOST = 20
_LONGEST = 500
# Most lines need not be read: a quote within a text is escaped, so that these are keys.
_ENDED_WELL = b'"error": null'
_WITHOUT_ANSWER = b'"status": 0,'
# What differs between two failures of one cause: documents, ids, numbers, and what is quoted.
_DOCUMENT = re.compile(r"\{.*(?:\}|$)", re.DOTALL)
_DIFFERS = re.compile(r"""'[^']*'|"[^"]*"|\b(?:0x)?[0-9a-fA-F]{8,}(?:-[0-9a-fA-F]+)*\b|\d+""")
_WORDS = re.compile(r"[\w.-]+")


def causes(run_dir: Path, met: Mapping[str, object], names: Mapping[str, str]) -> tuple[Cause, ...]:
    """Returns the causes, the most frequent first; none where the run has no journal. `met` has the requests that met a fault, `names` those of the template
    by what the deployment has made of them."""
    found: Counter[tuple[str, str]] = Counter()
    planned: Counter[tuple[str, str]] = Counter()
    first: dict[tuple[str, str], Mapping[str, Any]] = {}
    hurt = set(met)
    for entry in _failed(run_dir):
        if entry["kind"] == "call":
            if entry["id"] in met:
                hurt.add(entry["invocation"])
            continue
        cause = entry["name"], signature(entry["error"])
        found[cause] += 1
        planned[cause] += entry["id"] in hurt
        first.setdefault(cause, entry)
    return tuple(
        Cause(
            renamed(first[cause]["name"], names),
            renamed(_shortened(first[cause]["error"]), names),
            count,
            planned[cause],
            _record(run_dir / LEDGER, first[cause]["carried"]),
        )
        for cause, count in found.most_common(_MOST)
    )


def _shortened(error: str) -> str:
    return error if len(error) <= _LONGEST else f"{error[: _LONGEST - 1]}…"


def signature(error: str) -> str:
    """Returns what an error says, without what differs between two of one cause."""
    return _DIFFERS.sub("…", _DOCUMENT.sub("…", error))


def _failed(run_dir: Path) -> Iterator[Mapping[str, Any]]:
    """Yields the invocations, executions and calls that have failed, or that had no answer. Of a state that has failed its function tells."""
    for entry, _ in entries(run_dir, lambda line: _ENDED_WELL not in line or _WITHOUT_ANSWER in line):
        if entry["kind"] not in {"init", "state"} and (entry["kind"] == "call" or entry["error"]):
            yield entry


def _record(ledger: Path, event: str) -> str | None:
    """Returns the first record of the load whose id, or all of its parts, stand in an event; None where there is none."""
    if not ledger.is_file():
        return None
    with duckdb.connect() as db:
        row = db.execute(
            "WITH words AS (SELECT unnest($words) AS word) SELECT record_id FROM read_parquet($ledger) WHERE record_id IN (FROM words) "
            "OR (contains(record_id, '/') AND split_part(record_id, '/', 1) IN (FROM words) AND split_part(record_id, '/', -1) IN (FROM words)) "
            "ORDER BY index LIMIT 1",
            {"words": sorted(set(_WORDS.findall(text_of_event(event)))), "ledger": str(ledger)},
        ).fetchone()
    return str(row[0]) if row else None
