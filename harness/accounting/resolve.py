"""Sightings -> records, in SQL.

Every observation is given to one offered record, by the first of these that is known to the ledger: shard and sequence number (of a
file: the upload and the line), record id or payload hash within the upload that it names, record id, payload hash; of several records with
one id those that have its bytes. One that names an upload
and none of its records is given to all of them. A sighting of what the load itself has put is given to none. Where n offered records share an id or a payload, the sightings of each kind go round them in turn, beginning
with those that no better key has found in this kind of place, and of those with the ones that belong there: n records seen n times are each seen once, one more sighting is a
duplicate, one less a loss. What no key finds is a phantom.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from harness.accounting.engines import Engine

_LEDGER = """
SELECT index, record_id, payload_hash, malformed, status, shard, sequence, offered_at_ms, detail, put_at, file_hash, about_record,
       promised IS NULL AND filtered IS NULL AS poison, filtered, rival
FROM offered
"""
_TABLES = {
    # What the harness itself has put: the load, and what the pipeline looks up.
    "put": "SELECT DISTINCT put_at FROM (SELECT put_at FROM ledger UNION ALL SELECT put_at FROM lookup) WHERE put_at IS NOT NULL",
    # A sighting without a sequence number may still say in which upload: then it is one of that upload's records, and no other's.
    "seen": """
SELECT n, outcome, place, record_id, shard, sequence, payload_hash, seen_at_ms, position, keeps_payload, reason, misplaced, incomplete,
       CASE WHEN sequence IS NULL AND shard IN (SELECT DISTINCT shard FROM ledger) THEN shard END AS upload
FROM observed ANTI JOIN put USING (put_at)
""",
    "seen_as_put": "SELECT DISTINCT put_at FROM observed SEMI JOIN put USING (put_at)",
    # By sequence number: exact.
    "by_sequence": "SELECT s.n, l.index FROM seen s JOIN ledger l ON s.sequence = l.sequence AND s.shard = l.shard",
}


@dataclass(frozen=True, slots=True)
class _Key:
    """A way to find the record of a sighting, for sightings that have these columns and lack those."""

    name: str
    has: tuple[str, ...]
    lacks: tuple[str, ...] = ()

    @property
    def which(self) -> str:
        return " AND ".join([*(f"{one} IS NOT NULL" for one in self.has), *(f"{one} IS NULL" for one in self.lacks)])

    def fits(self, columns: Collection[str]) -> bool:
        """Returns whether a sighting that has these columns is looked for so."""
        return all(one in columns for one in self.has) and not any(one in columns for one in self.lacks)

    @property
    def columns(self) -> str:
        return ", ".join(self.has)

    def sightings(self, earlier: Sequence[str]) -> str:
        """Returns SQL for the sightings that are looked for so: those which no earlier table has found."""
        return f"SELECT n, outcome, {self.columns} FROM seen {_without(earlier)} WHERE {self.which}"

    def alone(self, earlier: Sequence[str]) -> str:
        """Returns SQL that finds the records of sightings where one record alone has the key. Most are found so, without putting them in order."""
        return f"""
SELECT s.n, r.index
FROM ({self.sightings(earlier)}) s
JOIN (SELECT {self.columns}, min(index) AS index FROM ({_OFFERED}) GROUP BY {self.columns} HAVING count(*) = 1) r USING ({self.columns})
"""

    def query(self, earlier: Sequence[str]) -> str:
        """Returns SQL that finds the records of sightings which no earlier table has found."""
        return _by_upload(earlier) if self == _UPLOAD else _by(self.columns, self.sightings(earlier), earlier)


# Of several records with one id, those bytes are meant that are there.
_UPLOAD = _Key("by_upload", ("upload",), ("record_id",))
_KEYS = (
    _Key("by_payload_and_upload", ("payload_hash", "upload"), ("record_id",)),
    _UPLOAD,
    _Key("by_all", ("record_id", "payload_hash", "upload")),
    _Key("by_id_and_upload", ("record_id", "upload")),
    _Key("by_payload_there", ("payload_hash", "upload")),
    _Key("by_id_and_payload", ("record_id", "payload_hash"), ("upload",)),
    _Key("by_id", ("record_id",), ("upload",)),
    _Key("by_payload", ("payload_hash",), ("upload",)),
)
_COLUMNS = ("record_id", "payload_hash", "upload")
_OFFERED = "SELECT index, record_id, payload_hash, poison, filtered, rival, shard AS upload FROM ledger"
_KINDS = f"SELECT DISTINCT {', '.join(f'{column} IS NOT NULL AS has_{column}' for column in _COLUMNS)} FROM seen"


def _by_upload(earlier: Sequence[str]) -> str:
    """Returns SQL for an upload that is named as a whole, by its own bytes or without any: all its records."""
    by_bytes = _without([name for name in earlier if name.startswith("by_payload_and_upload")])
    return f"SELECT s.n, l.index FROM (FROM seen {by_bytes}) s JOIN ledger l ON s.upload = l.shard WHERE s.record_id IS NULL"


def _by(keys: str, sightings: str, earlier: Sequence[str]) -> str:
    """Returns SQL that gives sightings to records with the same keys in turn, first to records that no earlier table has found."""
    found = " UNION ALL ".join(f"FROM {name}" for name in earlier)
    return f"""
WITH sightings AS (
    SELECT n, outcome, {keys}, row_number() OVER (PARTITION BY {keys}, outcome ORDER BY n) - 1 AS turn FROM ({sightings})
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
    FROM ({_OFFERED})
    JOIN (SELECT DISTINCT {keys}, outcome FROM sightings) USING ({keys}) LEFT JOIN settled USING (index, outcome)
    LEFT JOIN seen_rivals USING (index)
)
SELECT s.n, r.index
FROM sightings s JOIN records r USING ({keys}, outcome) WHERE s.turn % r.many = r.turn
"""


def _without(earlier: Sequence[str]) -> str:
    return " ".join(f"ANTI JOIN {name} USING (n)" for name in earlier)


def _resolved(found: Sequence[str]) -> str:
    """Returns SQL for the sightings of records, each with its record."""
    return f"""
SELECT s.n, s.outcome, s.place, s.seen_at_ms, s.payload_hash, s.position, s.reason, s.misplaced, s.incomplete, s.keeps_payload, r.index
FROM seen s JOIN ({" UNION ALL ".join(f"FROM {name}" for name in found)}) r USING (n)
"""


def resolve(db: Engine) -> None:
    """Makes the view `ledger` and the tables `seen`, `seen_as_put` and `resolved` from the views `offered`, `observed` and `lookup`. Ways to find a record that no sighting of the run can
    be found by are left out."""
    db.view("ledger", _LEDGER)
    for name, query in _TABLES.items():
        db.table(name, query)
    kinds = [{column for column, is_there in zip(_COLUMNS, row, strict=True) if is_there} for row in db.rows(_KINDS)]
    found = ["by_sequence"]
    for key in _KEYS:
        if not any(map(key.fits, kinds)):
            continue
        if key != _UPLOAD:
            alone = f"{key.name}_alone"
            db.table(alone, key.alone(found))
            [(all_are_found,)] = db.rows(
                f"SELECT (SELECT count(*) FROM ({key.sightings(found)})) = (SELECT count(*) FROM {alone}) AS is_so"
            )
            found.append(alone)
            if all_are_found:
                continue
        db.table(key.name, key.query(found))
        found.append(key.name)
    db.table("resolved", _resolved(found))
    for name in ("put", *found):
        db.drop(name)
