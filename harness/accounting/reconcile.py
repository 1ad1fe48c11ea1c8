"""Ledger + observations -> account. Pure: reads two tables, decides nothing by time, place or order of arrival.

Every observation is given to one offered record, by the first of these that is known to the ledger: shard and sequence number (of a
file: the upload and the line), record id or payload hash within the upload that it names, record id, payload hash; of several records with
one id those that have its bytes. One that names an upload
and none of its records is given to all of them. A sighting of what the load itself has put is given to none. Where n offered records share an id or a payload, the sightings of each kind go round them in turn, beginning
with those that no better key has found in this kind of place, and of those with the ones that belong there: n records seen n times are each seen once, one more sighting is a
duplicate, one less a loss. What no key finds is a phantom.

The pipeline stores one record of a group of rivals. Reconciliation takes the first stored rival for the healthy one, or the first rival where none is
stored. The pipeline must give the other rivals up, as it gives up malformed records.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from harness.accounting.contents import broken_promise
from harness.accounting.verdict import ANOMALIES, MAX_EXAMPLES, Account, Example, Ingress, Latency, Outcomes, TurnedAway

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

# DuckDB's memory, beside Python's. DuckDB moves what exceeds a limit to disk, and raises OutOfMemoryException where one step needs more: then the next
# limit is tried. A million records need less than the first limit.
_MEMORY_LIMITS = ("280MB", "640MB", "1280MB", "2560MB", "5GB", "10GB")
_PAIRS_PER_FETCH = 10_000

ANOMALIES_FILE = "anomalies.parquet"
"""All anomalies of a run, a row for each: its kind, the record's index in the ledger and id, and why. A phantom has no index."""
OUTCOMES_FILE = "outcomes.parquet"
"""Where each offered record ended, a row for each: its index in the ledger, how it ended (an outcome, `lost`, `irrecoverable` or `unacknowledged`), how often it was
stored, dead-lettered and alerted, when it was first stored, and the first sighting of it: its row in the observations and its time."""

_TABLES = """
CREATE TABLE ledger AS
SELECT index, record_id, payload_hash, malformed, status, shard, sequence, offered_at_ms, detail, put_at, file_hash, about_record,
       promised IS NULL AND filtered IS NULL AS poison, filtered, rival
FROM read_parquet($ledger);

-- What the harness itself has put: the load, and what the pipeline looks up.
CREATE TABLE put AS SELECT DISTINCT put_at FROM (SELECT put_at FROM ledger UNION ALL FROM lookup) WHERE put_at IS NOT NULL;

-- A sighting without a sequence number may still say in which upload: then it is one of that upload's records, and no other's.
CREATE TABLE seen AS
SELECT file_row_number AS n, outcome, place, record_id, shard, sequence, payload_hash, seen_at_ms, position, keeps_payload, reason, misplaced, incomplete,
       CASE WHEN sequence IS NULL AND shard IN (SELECT DISTINCT shard FROM ledger) THEN shard END AS upload
FROM read_parquet($observations, file_row_number = true) ANTI JOIN put USING (put_at);

CREATE TABLE seen_as_put AS SELECT DISTINCT put_at FROM read_parquet($observations) SEMI JOIN put USING (put_at);

-- By sequence number: exact.
CREATE TABLE by_sequence AS
SELECT s.n, l.index FROM seen s JOIN ledger l ON s.sequence = l.sequence AND s.shard = l.shard;
"""

_BY_UPLOAD = """
-- An upload that is named as a whole, by its own bytes or without any: all its records.
CREATE TABLE by_upload AS
SELECT s.n, l.index FROM (FROM seen ANTI JOIN by_payload_and_upload USING (n)) s JOIN ledger l ON s.upload = l.shard WHERE s.record_id IS NULL;
"""


def _by(table: str, keys: str, which: str, earlier: tuple[str, ...]) -> str:
    """Returns SQL that gives sightings to records with the same keys in turn, first to records that no earlier table has found."""
    without = " ".join(f"ANTI JOIN {name} USING (n)" for name in earlier)
    found = " UNION ALL ".join(f"FROM {name}" for name in earlier)
    return f"""
CREATE TABLE {table} AS
WITH sightings AS (
    SELECT n, outcome, {keys}, row_number() OVER (PARTITION BY {keys}, outcome ORDER BY n) - 1 AS turn
    FROM seen {without} WHERE {which}
), settled AS (
    SELECT DISTINCT index, outcome, true AS settled FROM ({found}) JOIN seen USING (n)
), seen_rivals AS (
    SELECT DISTINCT index, true AS elsewhere FROM ({found}) SEMI JOIN (FROM ledger WHERE rival IS NOT NULL) USING (index)
), records AS (
    SELECT index, outcome, {keys},
           row_number() OVER (
               PARTITION BY {keys}, outcome
               ORDER BY settled NULLS FIRST, elsewhere NULLS FIRST, filtered IS NOT NULL OR poison = (outcome = 'stored'),
                        CASE WHEN rival IS NOT NULL AND outcome <> 'stored' THEN -index ELSE index END
           ) - 1 AS turn,
           count(*) OVER (PARTITION BY {keys}, outcome) AS many
    FROM (SELECT index, record_id, payload_hash, poison, filtered, rival, shard AS upload FROM ledger)
    JOIN (SELECT DISTINCT {keys}, outcome FROM sightings) USING ({keys}) LEFT JOIN settled USING (index, outcome)
    LEFT JOIN seen_rivals USING (index)
)
SELECT s.n, r.index
FROM sightings s JOIN records r USING ({keys}, outcome) WHERE s.turn % r.many = r.turn;
"""


_EXACT = ("by_sequence", "by_payload_and_upload", "by_upload")
_ID, _PAYLOAD, _UPLOAD = "record_id IS NOT NULL", "payload_hash IS NOT NULL", "upload IS NOT NULL"
# Of several records with one id, those bytes are meant that are there.
_KEYS = (
    ("by_all", "record_id, payload_hash, upload", f"{_ID} AND {_PAYLOAD} AND {_UPLOAD}"),
    ("by_id_and_upload", "record_id, upload", f"{_ID} AND {_UPLOAD}"),
    ("by_payload_there", "payload_hash, upload", f"{_PAYLOAD} AND {_UPLOAD}"),
    ("by_id_and_payload", "record_id, payload_hash", f"{_ID} AND {_PAYLOAD} AND upload IS NULL"),
    ("by_id", "record_id", f"{_ID} AND upload IS NULL"),
    ("by_payload", "payload_hash", f"{_PAYLOAD} AND upload IS NULL"),
)
_EARLIER = (*_EXACT, *(name for name, _, _ in _KEYS))

_RESOLVE = (
    _TABLES
    + _by(
        "by_payload_and_upload",
        "payload_hash, upload",
        "record_id IS NULL AND payload_hash IS NOT NULL AND upload IS NOT NULL",
        ("by_sequence",),
    )
    + _BY_UPLOAD
    + "".join(_by(name, keys, which, _EARLIER[:place]) for place, (name, keys, which) in enumerate(_KEYS, len(_EXACT)))
    + """
CREATE TABLE resolved AS
SELECT s.n, s.outcome, s.place, s.seen_at_ms, s.payload_hash, s.position, s.reason, s.misplaced, s.incomplete, s.keeps_payload, r.index
FROM seen s JOIN (
    """
    + " UNION ALL ".join(f"FROM {name}" for name in _EARLIER)
    + """
) r USING (n);

-- Sightings from which the bytes that were offered can be had back, or of which the scenario knows that they cannot.
CREATE TABLE kept AS
SELECT r.n, r.index, r.outcome
FROM resolved r JOIN (SELECT index, payload_hash, file_hash FROM ledger) l USING (index)
WHERE r.outcome <> 'stored' AND (NOT r.keeps_payload OR r.payload_hash IN (l.payload_hash, l.file_hash));

CREATE TABLE accounts AS
WITH sighted AS (
    SELECT index,
           count(*) FILTER (outcome = 'stored') AS stored,
           count(*) FILTER (outcome = 'dead_lettered') AS dead_lettered,
           count(*) FILTER (outcome = 'alerted') AS alerted,
           min(reason) AS reason,
           min(seen_at_ms) FILTER (outcome = 'stored') AS stored_at_ms,
           min(seen_at_ms) AS seen_at_ms,
           coalesce(min(n) FILTER (outcome = 'stored'), min(n)) AS sighting
    FROM resolved GROUP BY index
), safe AS (
    SELECT index, bool_or(outcome = 'dead_lettered') AS dead_lettered FROM kept GROUP BY index
), beaten AS (
    SELECT index, 'another record has its key' AS malformed, true AS poison
    FROM ledger LEFT JOIN sighted USING (index) WHERE rival IS NOT NULL AND ledger.malformed IS NULL
    QUALIFY row_number() OVER (PARTITION BY rival ORDER BY coalesce(stored, 0) = 0, index) > 1
)
SELECT l.index, l.record_id, coalesce(l.malformed, b.malformed) AS malformed, l.status, l.shard, l.sequence, l.offered_at_ms, l.detail,
       coalesce(b.poison, l.poison) AS poison, l.filtered, l.about_record,
       l.put_at,
       coalesce(s.stored, 0) AS stored, coalesce(s.dead_lettered, 0) AS dead_lettered, coalesce(s.alerted, 0) AS alerted,
       s.reason, s.stored_at_ms, s.seen_at_ms, s.sighting,
       CASE WHEN s.stored > 0 THEN 'stored' WHEN safe.dead_lettered THEN 'dead_lettered' WHEN safe.index IS NOT NULL THEN 'alerted'
            WHEN l.status = 'rejected' THEN 'rejected' WHEN s.dead_lettered + s.alerted > 0 THEN 'irrecoverable'
            WHEN l.status = 'indeterminate' THEN 'unacknowledged' WHEN l.filtered IS NOT NULL THEN 'filtered'
            ELSE 'lost' END AS ended
FROM ledger l LEFT JOIN sighted s USING (index) LEFT JOIN safe USING (index) LEFT JOIN beaten b USING (index);
"""
)

_HOP = (
    "coalesce('accepted by the first hop as ' || shard || ':' || sequence, 'the first hop: ' || status) "
    "|| coalesce('; seen at ' || (SELECT string_agg(DISTINCT place, ', ' ORDER BY place) FROM resolved WHERE resolved.index = a.index), '')"
)

_ENDS = "SELECT index, ended, stored, dead_lettered, alerted, stored_at_ms, seen_at_ms, sighting FROM accounts ORDER BY index"

# Anomaly -> (which accounts, why).
_ANOMALIES = {
    "lost": (
        "ended = 'lost'",
        """CASE WHEN put_at IN (FROM seen_as_put) THEN 'accepted, and seen only where the load itself had put it'
        ELSE 'accepted, and seen nowhere afterwards' END || coalesce('; it is malformed (' || malformed || ')', '')""",
    ),
    "irrecoverable": (
        "ended = 'irrecoverable'",
        "'given up, and the bytes that were offered are not in what was found there: has the probe a key payload or payload_location?'",
    ),
    "duplicated": ("stored > 1", "'stored ' || stored || ' times'"),
    "conflicting": (
        # Dead-lettered and alerted are one outcome here: given up, and told. A retry after an alert tells it again.
        "(stored > 0)::INT + (dead_lettered + alerted > 0)::INT + (status = 'rejected')::INT > 1",
        "'stored ' || stored || ', dead-lettered ' || dead_lettered || ', alerted ' || alerted || ' times; the first hop: ' || status",
    ),
    "misrouted": (
        """CASE WHEN filtered IS NOT NULL THEN stored + dead_lettered + alerted > 0
        WHEN poison THEN stored > 0 ELSE dead_lettered + alerted > 0 AND stored = 0 END""",
        """CASE WHEN filtered IS NOT NULL AND stored > 0 THEN 'to be dropped (' || filtered || '), and stored'
        WHEN filtered IS NOT NULL THEN 'to be dropped (' || filtered || '), and given up' || coalesce(': ' || reason, '')
        WHEN poison THEN 'malformed (' || malformed || '), and stored as if healthy'
        ELSE 'healthy, and not stored but given up' || coalesce(': ' || reason, '') END""",
    ),
}


def reconcile(
    ledger: Path,
    observations: Path,
    scratch: Path,
    met: Callable[[str | None, str | None], str] = lambda _shard, _sequence: "",
    lookup: Sequence[Path] = (),
) -> Account:
    """Returns the account of a run, from its two tables (harness/accounting/ledger.py and observations.py). `scratch`, the run's
    directory, takes what does not fit in memory, and anomalies.parquet. `met` says, for an example's shard and sequence number, what else is known of its way. `lookup` are tables with the
    column `put_at` of what the harness has put besides the load."""
    for limit in _MEMORY_LIMITS[:-1]:
        with contextlib.suppress(duckdb.OutOfMemoryException):
            return _reconciled(ledger, observations, scratch, met, lookup, limit)
    return _reconciled(ledger, observations, scratch, met, lookup, _MEMORY_LIMITS[-1])


def _reconciled(
    ledger: Path,
    observations: Path,
    scratch: Path,
    met: Callable[[str | None, str | None], str],
    lookup: Sequence[Path],
    memory_limit: str,
) -> Account:
    with duckdb.connect(config={"memory_limit": memory_limit, "temp_directory": str(scratch), "threads": 2}) as db:
        # The progress bar would overwrite what the terminal shows.
        db.execute("SET enable_progress_bar = false")
        put = (
            " UNION ALL ".join(f"SELECT put_at FROM read_parquet('{path}')" for path in lookup)
            or "SELECT NULL::VARCHAR AS put_at WHERE false"
        )
        db.execute(f"CREATE TABLE lookup AS {put}")
        # Tables in a database without a file are kept in memory; DuckDB moves them to `scratch` where they exceed the limit.
        for statement in _RESOLVE.split(";\n"):
            if statement.strip():
                parameters = {"ledger": str(ledger), "observations": str(observations)}
                db.execute(statement, {name: value for name, value in parameters.items() if f"${name}" in statement})
        db.execute("CREATE TABLE anomalies (anomaly VARCHAR, index BIGINT, record_id VARCHAR, why VARCHAR)")
        counts = dict.fromkeys(ANOMALIES, 0)
        examples: dict[str, tuple[Example, ...]] = {}
        for name, (condition, why) in _ANOMALIES.items():
            db.execute(f"INSERT INTO anomalies SELECT '{name}', index, record_id, {why} FROM accounts WHERE {condition}")
            counts[name] = _one(db, f"SELECT count(*) FROM anomalies WHERE anomaly = '{name}'")
            rows = db.execute(
                f"SELECT record_id, {_HOP}, {why}, shard, sequence "
                f"FROM (FROM accounts WHERE {condition} ORDER BY index LIMIT {MAX_EXAMPLES}) a ORDER BY index"
            ).fetchall()
            examples[name] = tuple(
                Example(record_id, f"{hop}{met(*where)}", reason, *where) for record_id, hop, reason, *where in rows
            )
        counts["phantom"], examples["phantom"] = _phantoms(db)
        counts["corrupted"], examples["corrupted"] = _corrupted(db, ledger, observations)
        db.execute(f"COPY (FROM anomalies ORDER BY anomaly, index, record_id) TO '{scratch / ANOMALIES_FILE}' (FORMAT parquet)")
        db.execute(f"COPY ({_ENDS}) TO '{scratch / OUTCOMES_FILE}' (FORMAT parquet)")
        return Account(
            ingress=_ingress(db),
            outcome=_outcomes(db),
            anomalies=counts,
            examples={name: examples[name] for name in ANOMALIES if examples[name]},
            latency=_latency(db),
            healthy_rejected=_one(db, "SELECT count(*) FROM accounts WHERE ended = 'rejected' AND NOT poison"),
            rejected_why=_rejected_why(db),
            healthy_stored=_one(db, "SELECT count(*) FROM accounts WHERE ended = 'stored' AND NOT poison"),
            malformed=_one(db, "SELECT count(*) FROM accounts WHERE poison"),
            turned_away=_turned_away(db),
            reconciled=True,
        )


def _one(db: duckdb.DuckDBPyConnection, query: str) -> int:
    [(count,)] = db.execute(query).fetchall()
    return int(count)


def _rejected_why(db: duckdb.DuckDBPyConnection) -> str:
    row = db.execute(
        "SELECT detail FROM accounts WHERE ended = 'rejected' AND NOT poison AND detail IS NOT NULL GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1"
    ).fetchone()
    return str(row[0]) if row else ""


def _counts(db: duckdb.DuckDBPyConnection, column: str) -> dict[str, int]:
    return {str(name): int(count) for name, count in db.execute(f"SELECT {column}, count(*) FROM accounts GROUP BY 1").fetchall()}


def _ingress(db: duckdb.DuckDBPyConnection) -> Ingress:
    by_status = _counts(db, "status")
    return Ingress(offered=sum(by_status.values()), **by_status)


def _outcomes(db: duckdb.DuckDBPyConnection) -> Outcomes:
    ends = _counts(db, "ended")
    for anomaly in ("lost", "irrecoverable"):
        ends.pop(anomaly, None)
    recovered = _one(db, "SELECT count(*) FROM accounts WHERE status = 'indeterminate' AND stored > 0")
    return Outcomes(**ends, recovered=recovered)


def _turned_away(db: duckdb.DuckDBPyConnection) -> TurnedAway:
    of = "FROM accounts WHERE ended = 'rejected' AND poison AND NOT about_record"
    first = db.execute(f"SELECT detail {of} ORDER BY index LIMIT 1").fetchone()
    return TurnedAway(_one(db, f"SELECT count(*) {of}"), str(first[0])) if first else TurnedAway()


def _latency(db: duckdb.DuckDBPyConnection) -> Latency:
    row = db.execute(
        "SELECT quantile_cont(l, 0.5), quantile_cont(l, 0.95), quantile_cont(l, 0.99), max(l) "
        "FROM (SELECT (stored_at_ms - offered_at_ms) / 1000.0 AS l FROM accounts WHERE stored_at_ms IS NOT NULL)"
    ).fetchone()
    return Latency(*(None if value is None else round(float(value), 3) for value in row or (None,) * 4))


def _phantoms(db: duckdb.DuckDBPyConnection) -> tuple[int, tuple[Example, ...]]:
    unresolved = "FROM seen ANTI JOIN resolved USING (n)"
    name = "coalesce(record_id, shard || ':' || sequence, hex(payload_hash), 'without an id')"
    rows = db.execute(f"SELECT {name}, place, outcome {unresolved} ORDER BY n LIMIT {MAX_EXAMPLES}").fetchall()
    why = "outcome || ', and no offered record is this one'"
    db.execute(f"INSERT INTO anomalies SELECT 'phantom', NULL, {name}, {why} {unresolved}")
    found = tuple(Example(name, place, f"{outcome}, and no offered record is this one") for name, place, outcome in rows)
    return _one(db, f"SELECT count(*) {unresolved}"), found


DISORDER = """
SELECT index, record_id, place, position
FROM (
    SELECT index, place, position,
           max(index) OVER (PARTITION BY place ORDER BY position, index ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
    FROM resolved WHERE outcome = 'stored' AND position IS NOT NULL
) JOIN ledger USING (index)
WHERE before > index
"""


def _corrupted(db: duckdb.DuckDBPyConnection, ledger: Path, observations: Path) -> tuple[int, tuple[Example, ...]]:
    """Compares what was promised with what is stored, a few thousand pairs at a time; and what was offered with what a dead letter or
    an alert carries of it; and the place; and what must stand beside it; and the order in one place, where it has one, with that of the offers."""
    broken: dict[int, Example] = {}
    spoilt = db.execute(
        "SELECT r.index, l.record_id, r.place FROM resolved r JOIN ledger l USING (index) "
        "ANTI JOIN kept USING (n, index) WHERE r.outcome <> 'stored' AND r.payload_hash IS NOT NULL"
    ).fetchall()
    for index, record_id, place in spoilt:
        broken[index] = Example(record_id, place, "the payload there is not the one that was offered")
    for index, record_id, place, pattern in db.execute(
        "SELECT index, record_id, place, misplaced FROM resolved JOIN ledger USING (index) WHERE misplaced IS NOT NULL AND NOT poison"
    ).fetchall():
        broken.setdefault(index, Example(record_id, place, f"in the wrong place: expected {pattern}"))
    for index, record_id, place, why in db.execute(
        "SELECT index, record_id, place, incomplete FROM resolved JOIN ledger USING (index) WHERE incomplete IS NOT NULL"
    ).fetchall():
        broken.setdefault(index, Example(record_id, place, why))
    for index, record_id, place, position in db.execute(DISORDER).fetchall():
        broken.setdefault(index, Example(record_id, place, f"out of order: row {position} there, behind one that came later"))
    count: set[int] = set(broken)
    different: dict[int, tuple[int, str]] = {}
    pairs = db.execute(
        """
        SELECT r.n, r.index, p.promised, c.content
        FROM resolved r
        JOIN (SELECT index, promised FROM read_parquet($ledger) WHERE promised IS NOT NULL) p USING (index)
        JOIN (SELECT file_row_number AS n, content FROM read_parquet($observations, file_row_number = true)) c USING (n)
        WHERE r.outcome = 'stored'
        """,
        {"ledger": str(ledger), "observations": str(observations)},
    )
    while rows := pairs.fetchmany(_PAIRS_PER_FETCH):
        for n, index, promised, content in rows:
            why = broken_promise(promised, content)
            if why is not None:
                count.add(index)
                different[index] = min(different.get(index, (n, why)), (n, why))
        # The first ones are enough, and the same ones in every run.
        different = dict(sorted(different.items())[:MAX_EXAMPLES])
    for index, (n, why) in different.items():
        [(record_id, place)] = db.execute(
            # An observation that names an upload alone is of all its records.
            "SELECT record_id, place FROM resolved JOIN ledger USING (index) WHERE n = ? AND index = ?",
            [n, index],
        ).fetchall()
        broken.setdefault(index, Example(record_id, place, why))
    why_of = [broken[index].why if index in broken else None for index in sorted(count)]
    db.register("corrupted", pa.table({"index": pa.array(sorted(count), pa.int64()), "why": pa.array(why_of, pa.string())}))
    db.execute("INSERT INTO anomalies SELECT 'corrupted', index, record_id, why FROM corrupted JOIN ledger USING (index)")
    return len(count), tuple(broken[index] for index in sorted(broken)[:MAX_EXAMPLES])
