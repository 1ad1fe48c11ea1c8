"""`pipeproof trace`: the way of one record, as lines of text."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from harness.documents import read_json
from harness.errors import UsageError
from harness.run.journal import JOURNAL
from harness.run.run_dir import LEDGER, OBSERVATIONS, PLAN, readable
from harness.run.trace import as_they_began, faults_met, logical, renamed, ways

if TYPE_CHECKING:
    from collections.abc import Iterator

_NEAR = 5


def told(run_dir: Path, record_id: str) -> Iterator[str]:
    """Yields what is known of a record. Raises UsageError for a directory that is none of a run, and for an id that it did not offer."""
    ledger, observations = run_dir / LEDGER, run_dir / OBSERVATIONS
    if not ledger.is_file():
        raise UsageError(f"{run_dir} is no run directory: it has no ledger.parquet")
    with readable(run_dir), duckdb.connect() as db:
        records = db.execute(
            "SELECT shard, sequence, status, detail, offered_at_ms, malformed, filtered, rival "
            # Older runs know of no rules and no rivals.
            "FROM (SELECT NULL::VARCHAR AS filtered, NULL::VARCHAR AS rival WHERE false UNION ALL BY NAME FROM read_parquet($2)) "
            "WHERE record_id = $1 ORDER BY index",
            [record_id, str(ledger)],
        ).fetchall()
        if not records:
            near = db.execute(
                "SELECT DISTINCT record_id FROM read_parquet($2) WHERE levenshtein(record_id, $1) * 2 < length(record_id) OR contains(record_id, $1) "
                f"ORDER BY levenshtein(record_id, $1), record_id LIMIT {_NEAR}",
                [record_id, str(ledger)],
            ).fetchall()
            hint = (
                f"; the nearest are {', '.join(str(row[0]) for row in near)}" if near else f": {ledger} has the ids that it offered"
            )
            raise UsageError(f"{run_dir} offered no record {record_id}{hint}")
        plan = read_json(run_dir / PLAN, "plan") if (run_dir / PLAN).exists() else {}
        names = logical(plan.get("names") or {})
        found = ways(run_dir, [(record_id, record[0], record[1]) for record in records], faults_met(run_dir))
        for record, hops in zip(records, found, strict=True):
            yield f"{record_id}: {_what_it_is(*record[5:])}"
            yield f"  {_at(record[4])} offered: {_answer(record)}"
            for hop in as_they_began(hops):
                yield f"  {renamed(hop.text, names)}"
                yield from (f"      | {line}" for line in hop.log.splitlines() if line.strip())
            if not hops:
                yield "  nothing is known to have carried it" + (
                    "" if (run_dir / JOURNAL).is_file() else f": the run has no {JOURNAL}"
                )
        if observations.is_file():
            yield from (renamed(line, names) for line in _sightings(db, str(observations), record_id, records))


def _what_it_is(malformed: str | None, filtered: str | None, rival: str | None) -> str:
    if malformed:
        return f"malformed ({malformed})"
    if rival:
        return "healthy, and one of several records of which one is to be stored"
    return f"healthy, and to be dropped ({filtered})" if filtered else "healthy"


def _sightings(db: duckdb.DuckDBPyConnection, observations: str, record_id: str, records: list[Any]) -> Iterator[str]:
    places = [(shard, sequence) for shard, sequence, *_ in records if shard and sequence]
    shards, sequences = [shard for shard, _ in places], [sequence for _, sequence in places]
    seen = db.execute(
        "SELECT outcome, place, reason FROM read_parquet($4) WHERE record_id = $1 OR (shard IN $2 AND sequence IN $3) "
        "OR (shard IN $2 AND sequence IS NULL AND record_id IS NULL)",
        [record_id, shards, sequences, observations],
    ).fetchall()
    for outcome, place, reason in seen:
        yield f"  {outcome.replace('_', '-')} at {place}" + (f": {reason}" if reason else "")
    from harness.parts.probes.anywhere import standing  # noqa: PLC0415 - it reads Parquet, which takes a while to load

    elsewhere = standing(Path(observations).parent).get(record_id, ()) if not seen else ()
    for place in elsewhere:
        yield f"  it stands at {place}, and not in each place that holds every record"
    if not seen and not elsewhere:
        yield "  seen nowhere"


def _answer(record: Any) -> str:
    shard, sequence, status, detail, *_ = record
    place = f" as {shard}:{sequence}" if shard else ""
    return f"{status}{place}" + (f" ({detail})" if detail else "")


def _at(milliseconds: int) -> str:
    return f"{datetime.fromtimestamp(milliseconds / 1000, tz=UTC):%H:%M:%S.%f}"[:-3]
