"""Ledger + observations -> account. Pure: reads two tables, decides nothing by time, place or order of arrival. Which record a sighting is of is said in resolve.py.

The pipeline stores one record of a group of rivals. Reconciliation takes the first stored rival for the healthy one, or the first rival where none is
stored. The pipeline must give the other rivals up, as it gives up malformed records.
"""

from __future__ import annotations

import math
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from harness.accounting import engines
from harness.accounting.contents import broken_promise
from harness.accounting.resolve import resolve
from harness.accounting.verdict import ANOMALIES, MAX_EXAMPLES, Account, Example, Ingress, Latency, Outcomes, TurnedAway

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from harness.accounting.engines import Engine

ANOMALIES_FILE = "anomalies.parquet"
"""All anomalies of a run, a row for each: its kind, the record's index in the ledger and id, and why. A phantom has no index."""
OUTCOMES_FILE = "outcomes.parquet"
"""Where each offered record ended, a row for each: its index in the ledger, how it ended (an outcome, `lost`, `irrecoverable` or `unacknowledged`), how often it was
stored, dead-lettered and alerted, when it was first stored, and the first sighting of it: its row in the observations and its time."""

_ACCOUNTS = {
    # Sightings from which the bytes that were offered can be had back, or of which the scenario knows that they cannot.
    "kept": """
SELECT r.n, r.index, r.outcome
FROM resolved r JOIN (SELECT index, payload_hash, file_hash FROM ledger) l USING (index)
WHERE r.outcome <> 'stored' AND (NOT r.keeps_payload OR r.payload_hash IN (l.payload_hash, l.file_hash))
""",
    "accounts": """
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
FROM ledger l LEFT JOIN sighted s USING (index) LEFT JOIN safe USING (index) LEFT JOIN beaten b USING (index)
""",
}

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


_PHANTOM = "coalesce(record_id, shard || ':' || sequence, hex(payload_hash), 'without an id')"
_UNRESOLVED = "FROM seen ANTI JOIN resolved USING (n)"

DISORDER = """
SELECT index, place, position, n
FROM (
    SELECT index, place, position, n,
           max(index) OVER (PARTITION BY place ORDER BY position, index ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
    FROM resolved WHERE outcome = 'stored' AND position IS NOT NULL
)
WHERE before > index
"""

# What was promised, and what is stored.
_PAIRS = """
SELECT r.n, r.index, p.promised, c.content
FROM resolved r
JOIN (SELECT index, promised FROM offered WHERE promised IS NOT NULL) p USING (index)
JOIN (SELECT n, content FROM observed) c USING (n)
WHERE r.outcome = 'stored'
"""

# What was offered, against what a dead letter or an alert carries of it; the place; what must stand beside it; the order in one place, where it has one, against that of the offers;
# what was promised, against what is stored. Of each record the first counts.
_CORRUPTED = f"""
SELECT index, place, why FROM (
    SELECT index, place, why, row_number() OVER (PARTITION BY index ORDER BY rank, n, why) AS turn
    FROM (
        SELECT 1 AS rank, n, index, place, 'the payload there is not the one that was offered' AS why
        FROM resolved ANTI JOIN kept USING (n, index) WHERE outcome <> 'stored' AND payload_hash IS NOT NULL
        UNION ALL
        SELECT 2 AS rank, n, index, place, 'in the wrong place: expected ' || misplaced AS why
        FROM resolved SEMI JOIN (FROM ledger WHERE NOT poison) USING (index) WHERE misplaced IS NOT NULL
        UNION ALL
        SELECT 3 AS rank, n, index, place, incomplete AS why FROM resolved WHERE incomplete IS NOT NULL
        UNION ALL
        SELECT 4 AS rank, n, index, place, 'out of order: row ' || position || ' there, behind one that came later' AS why FROM ({DISORDER})
        UNION ALL
        SELECT 5 AS rank, n, index, place, why FROM broken JOIN (SELECT n, index, place FROM resolved) USING (n, index)
    )
) WHERE turn = 1
"""

_ALL_ANOMALIES = " UNION ALL ".join(
    [
        *(
            f"SELECT '{name}' AS anomaly, index, record_id, {why} AS why FROM accounts WHERE {condition}"
            for name, (condition, why) in _ANOMALIES.items()
        ),
        f"SELECT 'phantom' AS anomaly, CAST(NULL AS BIGINT) AS index, {_PHANTOM} AS record_id, outcome || ', and no offered record is this one' AS why {_UNRESOLVED}",
        "SELECT 'corrupted' AS anomaly, index, record_id, why FROM corrupted JOIN (SELECT index, record_id FROM ledger) USING (index)",
    ]
)


_ANOMALY_ROWS = "SELECT anomaly, index, record_id, why FROM anomalies ORDER BY anomaly, index, record_id, why"


def reconcile(
    ledger: Path,
    observations: Path,
    scratch: Path,
    met: Callable[[str | None, str | None], str] = lambda _shard, _sequence: "",
    lookup: Sequence[Path] = (),
    engine: str = "duckdb",
) -> Account:
    """Returns the account of a run, from its two tables (harness/accounting/ledger.py and observations.py). `scratch`, the run's
    directory, takes what does not fit in memory, and anomalies.parquet. `met` says, for an example's shard and sequence number, what else is known of its way. `lookup` are tables with the
    column `put_at` of what the harness has put besides the load. `engine` is one of `engines.ENGINES`; all come to the same account."""

    def work(db: Engine) -> Account:
        db.read("offered", [ledger], {})
        db.read("observed", [observations], {}, number="n")
        db.read("lookup", lookup, {"put_at": "VARCHAR"})
        resolve(db)
        for name, query in _ACCOUNTS.items():
            db.table(name, query)
        db.tell("broken", _PAIRS, broken_promise, given=2)
        db.table("corrupted", _CORRUPTED)
        db.table("anomalies", _ALL_ANOMALIES)
        account = _account(db, met)
        # The last query puts all accounts in order: where they are many, it needs the room.
        for name in ("seen", "seen_as_put", "resolved", "kept", "broken", "corrupted"):
            db.drop(name)
        # Both files are of one reconciliation, also where it ends in between.
        with tempfile.TemporaryDirectory(prefix="reconciled-", dir=scratch) as folder:
            for name, query in ((ANOMALIES_FILE, _ANOMALY_ROWS), (OUTCOMES_FILE, _ENDS)):
                db.write(query, Path(folder) / name)
            for name in (ANOMALIES_FILE, OUTCOMES_FILE):
                (Path(folder) / name).replace(scratch / name)
        return account

    rows = sum(pq.read_metadata(path).num_rows for path in (ledger, observations))
    return engines.run(engine, scratch, work, rows)


def _account(db: Engine, met: Callable[[str | None, str | None], str]) -> Account:
    status: Counter[str] = Counter()
    ends: Counter[str] = Counter()
    of: Counter[str] = Counter()
    for answer, ended, poison, is_stored, count in db.rows(
        "SELECT status, ended, poison, stored > 0 AS is_stored, count(*) AS many FROM accounts GROUP BY status, ended, poison, stored > 0"
    ):
        status[answer] += count
        ends[ended] += count
        of["malformed"] += count * poison
        of["recovered"] += count * (answer == "indeterminate" and is_stored)
        of[f"healthy {ended}"] += count * (not poison)
    counts = dict.fromkeys(ANOMALIES, 0) | dict(db.rows("SELECT anomaly, count(*) AS many FROM anomalies GROUP BY anomaly"))
    examples = {name: tuple(_examples(db, name, met)) for name in ANOMALIES if counts[name]}
    for anomaly in ("lost", "irrecoverable"):
        ends.pop(anomaly, None)
    return Account(
        ingress=Ingress(offered=status.total(), **status),
        outcome=Outcomes(**ends, recovered=of["recovered"]),
        anomalies=counts,
        examples=examples,
        latency=_latency(db),
        healthy_rejected=of["healthy rejected"],
        rejected_why=_rejected_why(db),
        healthy_stored=of["healthy stored"],
        malformed=of["malformed"],
        turned_away=_turned_away(db),
        reconciled=True,
    )


def _examples(db: Engine, name: str, met: Callable[[str | None, str | None], str]) -> Iterator[Example]:
    """Yields the first records of an anomaly, in the order in which they were offered, or seen."""
    if name == "phantom":
        query = f"SELECT {_PHANTOM} AS name, place, outcome || ', and no offered record is this one' AS why {_UNRESOLVED} ORDER BY n LIMIT {MAX_EXAMPLES}"
        yield from (Example(*row) for row in db.rows(query))
    elif name == "corrupted":
        query = f"""
        SELECT record_id, place, why FROM corrupted JOIN (SELECT index, record_id FROM ledger) USING (index) ORDER BY index LIMIT {MAX_EXAMPLES}
        """
        yield from (Example(*row) for row in db.rows(query))
    else:
        found = db.rows(f"SELECT index, record_id, why FROM anomalies WHERE anomaly = '{name}' ORDER BY index LIMIT {MAX_EXAMPLES}")
        # By their numbers: an engine passes over parts of a table in which none of these is.
        these = f"index IN ({', '.join(str(index) for index, *_ in found)})"
        hops = f"""
        SELECT index, coalesce('accepted by the first hop as ' || shard || ':' || sequence, 'the first hop: ' || status) AS hop, shard, sequence
        FROM accounts WHERE {these}
        """
        accepted = {index: row for index, *row in db.rows(hops)}
        places = f"""
        SELECT index, string_agg(place, ', ' ORDER BY place) AS places FROM (SELECT DISTINCT index, place FROM resolved WHERE {these}) GROUP BY index
        """
        seen: dict[int, str | None] = dict(db.rows(places))
        for index, record_id, why in found:
            hop, *where = accepted[index]
            at = f"; seen at {seen[index]}" if seen.get(index) else ""
            yield Example(record_id, f"{hop}{at}{met(*where)}", why, *where)


def _rejected_why(db: Engine) -> str:
    rows = db.rows(
        "SELECT detail FROM accounts WHERE ended = 'rejected' AND NOT poison AND detail IS NOT NULL GROUP BY detail ORDER BY count(*) DESC, detail LIMIT 1"
    )
    return str(rows[0][0]) if rows else ""


def _turned_away(db: Engine) -> TurnedAway:
    of = "FROM accounts WHERE ended = 'rejected' AND poison AND NOT about_record"
    [(count,)] = db.rows(f"SELECT count(*) AS many {of}")
    return TurnedAway(count, str(db.rows(f"SELECT detail {of} ORDER BY index LIMIT 1")[0][0])) if count else TurnedAway()


_LATENCIES = """
SELECT ms, many, sum(many) OVER (ORDER BY ms) AS reached
FROM (
    SELECT stored_at_ms - offered_at_ms AS ms, count(*) AS many FROM accounts WHERE stored_at_ms IS NOT NULL GROUP BY stored_at_ms - offered_at_ms
)
"""


def _latency(db: Engine) -> Latency:
    """Returns continuous percentiles: between two latencies in proportion. Engines differ in what they call so."""
    [(total,)] = db.rows("SELECT count(*) AS many FROM accounts WHERE stored_at_ms IS NOT NULL")
    if not total:
        return Latency()
    places = [part * (total - 1) for part in (0.5, 0.95, 0.99, 1)]
    ranks = sorted({rank for place in places for rank in (math.floor(place), math.ceil(place))})
    which = " OR ".join(f"(reached - many <= {rank} AND {rank} < reached)" for rank in ranks)
    found = db.rows(f"SELECT ms, reached - many AS first, reached FROM ({_LATENCIES}) WHERE {which}")
    at = {rank: float(ms) for rank in ranks for ms, first, reached in found if first <= rank < reached}
    between = (at[math.floor(place)] + (at[math.ceil(place)] - at[math.floor(place)]) * (place % 1) for place in places)
    return Latency(*(round(ms / 1000, 3) for ms in between))
