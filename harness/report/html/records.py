"""The records that a report keeps: which, where each was seen first, what differs, and its way."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pydantic_core import from_json, to_json

from harness.accounting.verdict import ANOMALIES
from harness.report.said import end_of, shortened
from harness.run.run_dir import OBSERVATIONS
from harness.run.trace import HOW, Hop

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import duckdb

Row = dict[str, Any]
Named = Callable[[str], str]
"""Puts the names of the template in place of those that were made of them."""
_TEXT_CHARACTERS = 300
_CONTENT_CHARACTERS = 600
_MOST_PLACES = 5
_MOST_FIELDS = 40
_MOST_HOPS = 60

# Of each kind of record without an anomaly the same number, evenly over the load: a rare kind is shown too. Their order is by chance, so that the first few are
# spread over the load as well.
_RECORDS = """
WITH spoilt AS (
    SELECT index, list(anomaly ORDER BY list_position($order, anomaly)) AS anomalies, list(why ORDER BY list_position($order, anomaly)) AS whys
    FROM anomalies WHERE index IS NOT NULL GROUP BY 1
), placed AS (
    SELECT index, kind, row_number() OVER (PARTITION BY kind ORDER BY index) - 1 AS place, count(*) OVER (PARTITION BY kind) AS many
    FROM (SELECT index, concat_ws('/', status, ended, malformed IS NOT NULL) AS kind FROM ends ANTI JOIN spoilt USING (index))
), spread AS (
    SELECT index, row_number() OVER (PARTITION BY kind ORDER BY hash(index)) - 1 AS place_of_kind
    FROM placed WHERE floor(place * least($each, many) / many) <> floor((place - 1) * least($each, many) / many)
), chosen AS (
    SELECT index, NULL AS place_of_kind FROM (SELECT index, row_number() OVER (ORDER BY index) - 1 AS place, count(*) OVER () AS many FROM spoilt)
    WHERE floor(place * least($most, many) / many) <> floor((place - 1) * least($most, many) / many) UNION ALL FROM spread
)
SELECT e.*, l.promised, s.anomalies, s.whys, c.place_of_kind
FROM ends e JOIN chosen c USING (index) LEFT JOIN spoilt s USING (index)
LEFT JOIN (SELECT index, promised FROM promises SEMI JOIN spoilt USING (index)) l USING (index)
ORDER BY s.anomalies IS NULL, e.index
"""


def records(db: duckdb.DuckDBPyConnection, run_dir: Path, anomalies: int, others: int) -> list[Row]:
    """Returns all that a report may keep: the records with an anomaly, first phantoms, then the others in the order of the load; and of each kind of other records
    some, `place_of_kind` from 0 on."""
    rows = db.execute(_RECORDS, {"order": list(ANOMALIES), "most": anomalies, "each": others})
    columns = [column[0] for column in rows.description]
    found = [dict(zip(columns, row, strict=True)) for row in rows.fetchall()]
    _with_sightings(db, run_dir, found)
    phantoms = db.execute(
        "SELECT record_id, why FROM anomalies WHERE index IS NULL ORDER BY record_id LIMIT $most", {"most": anomalies}
    ).fetchall()
    return [{"record_id": name, "anomalies": ["phantom"], "whys": [why], "index": None} for name, why in phantoms] + found


def _with_sightings(db: duckdb.DuckDBPyConnection, run_dir: Path, records: list[Row]) -> None:
    """Adds to each record the first sighting of it: its place, the reason that is told there and its content."""
    path = run_dir / OBSERVATIONS
    wanted = sorted({row["sighting"] for row in records if row["sighting"] is not None})
    if not wanted or not path.exists():
        return
    rows = db.execute(
        "SELECT n, place, reason, content FROM (SELECT file_row_number AS n, place, reason, content "
        "FROM read_parquet($path, file_row_number = true)) SEMI JOIN (SELECT unnest($wanted::BIGINT[]) AS n) USING (n)",
        {"path": str(path), "wanted": wanted},
    ).fetchall()
    seen = {n: {"place": place, "reason": reason, "content": content} for n, place, reason, content in rows}
    everywhere = {
        row["index"]: (row["record_id"], row["shard"], row["sequence"])
        for row in records
        if row["anomalies"] and row["sighting"] is not None
    }
    places = dict(
        db.execute(
            "SELECT index, list(DISTINCT place ORDER BY place)[:$most] FROM ("
            "SELECT w.index, o.place FROM wanted w JOIN read_parquet($path) o ON o.record_id = w.record_id UNION "
            "SELECT w.index, o.place FROM wanted w JOIN read_parquet($path) o ON o.shard = w.shard AND o.sequence = w.sequence) GROUP BY 1",
            {"path": str(path), "most": _MOST_PLACES},
        ).fetchall()
        if _registered(db, everywhere)
        else ()
    )
    for row in records:
        row.update(seen.get(row["sighting"], {}), places=places.get(row["index"]))


def _registered(db: duckdb.DuckDBPyConnection, records: Mapping[int, tuple[str, str | None, str | None]]) -> bool:
    """Makes the records the table `wanted`, and returns whether there are any."""
    columns = zip(*records.values(), strict=True) if records else ((), (), ())
    names = ("record_id", "shard", "sequence")
    table = {"index": pa.array(records, pa.int64())} | {
        name: pa.array(values, pa.string()) for name, values in zip(names, columns, strict=True)
    }
    db.register("wanted", pa.table(table))
    return bool(records)


def shown(way: Sequence[Hop]) -> list[Hop]:
    """Returns of a long way the hops nearest to the record, in order; of those as near, invocations before calls, as a function may make a call for each row of a file."""
    nearest = sorted(range(len(way)), key=lambda place: (HOW.index(way[place].how), way[place].entry["kind"] == "call", -place))[
        :_MOST_HOPS
    ]
    return [way[place] for place in sorted(nearest)]


def record(row: Row, named: Named, begin_ms: float) -> dict[str, Any]:
    return {
        "id": row["record_id"],
        "index": row["index"],
        "status": row.get("status"),
        "ended": row.get("ended"),
        "anomalies": row["anomalies"] or [],
        "whys": [named(why or "") for why in row["whys"] or ()],
        "malformed": row.get("malformed"),
        "filtered": row.get("filtered"),
        "offered": None if row.get("offered_at_ms") is None else row["offered_at_ms"] - begin_ms,
        "seen": None if row.get("seen_at_ms") is None else row["seen_at_ms"] - begin_ms,
        "at": f"{row['shard']}:{row['sequence']}" if row.get("shard") and row.get("sequence") else row.get("shard"),
        "detail": row.get("detail"),
        "places": [named(place) for place in row.get("places") or [row["place"]] if place] if row.get("place") else [],
        "promised": _short(row.get("promised")) if row["anomalies"] else None,
        "content": _short(row.get("content")) if row["anomalies"] else None,
        "reason": row.get("reason"),
        "differences": _differences(row.get("promised"), row.get("content")) if row["anomalies"] else [],
    }


def hop_of(hop: Hop, named: Named, begin_ms: float, log_characters: int) -> dict[str, Any]:
    entry = hop.entry
    return {
        "kind": entry["kind"],
        "id": entry["id"],
        "name": named(entry["name"]),
        "call": entry.get("call"),
        "put": named(entry.get("put") or ""),
        "of": named(entry.get("of") or ""),
        "at": round(entry["at_ms"] - begin_ms),
        "took": round(max(0, entry.get("took_ms") or entry["at_ms"] - (entry.get("began_ms") or entry["at_ms"]))),
        "status": entry.get("status"),
        "error": shortened(named(entry.get("error") or ""), _TEXT_CHARACTERS),
        "faults": list(hop.faults),
        "invocation": hop.invocation,
        "log": end_of(named(hop.log), log_characters),
        **({"then": hop.then} if hop.then else {}),
    }


def _differences(promised: bytes | None, content: bytes | None) -> list[list[str | None]]:
    """Returns the fields in which what is there is not what was promised: name, promised, found (null where it is missing)."""
    if promised is None or content is None:
        return []
    try:
        expected, found = from_json(promised), from_json(content)
    except ValueError:
        return [["", _short(promised), _short(content)]]
    if not isinstance(expected, dict) or not isinstance(found, dict):
        return [["", _short(promised), _short(content)]]
    different = [name for name, value in expected.items() if name not in found or _text(found[name]) != _text(value)]
    return [[name, _text(expected[name]), _text(found[name]) if name in found else None] for name in different[:_MOST_FIELDS]]


def _text(value: object) -> str:
    return to_json(value).decode()[:_TEXT_CHARACTERS]


def _short(content: bytes | None) -> str | None:
    return None if content is None else shortened(content[: 4 * _CONTENT_CHARACTERS].decode(errors="replace"), _CONTENT_CHARACTERS)
