"""Where records stand in their files or shards: a cut leaves out the end of each, a batch that was given up has no gap."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import duckdb

# So seldom may records that were chosen by chance stand like this.
_BY_CHANCE = 0.005
_BEHIND_BY_CHANCE = 0.05
_LONGEST_LINE = 20

# A record that is the only one of its file has its place in the load. Malformed records do not count, and those that were rejected or are to be dropped
# count only where they have an anomaly: a batch that was given up is without a gap then.
_PLACES = """
WITH counted AS (
    SELECT index, sequence, lag(malformed) OVER (PARTITION BY shard ORDER BY length(sequence), sequence, index) AS behind,
           avg((malformed IS NOT NULL)::INT) OVER (PARTITION BY shard) AS spoilt, CASE WHEN count(*) OVER (PARTITION BY shard) > 1 THEN shard END AS within,
           malformed IS NULL AS counts
    FROM ends WHERE filtered IS NULL AND status <> 'rejected' OR index IN (SELECT index FROM anomalies)
), placed AS (
    SELECT index, within, sequence, behind, spoilt, row_number() OVER (PARTITION BY within ORDER BY length(sequence), sequence, index) AS place,
           count(*) OVER (PARTITION BY within) AS many FROM counted WHERE counts
)
SELECT index, within, place, many, sequence, behind, spoilt FROM placed SEMI JOIN anomalies USING (index)
"""


@dataclass(frozen=True, slots=True)
class Position:
    """The place of a record, from 1 on, among the `many` that count of its file or shard `within`, which is None for the load as a whole. `line` is
    its line in a file, or its index in a list; `behind` how the record before it is malformed, None where that one is not;
    `malformed` which share of them is."""

    within: str | None
    place: int
    many: int
    line: int | None
    behind: str | None = None
    malformed: float = 0


@dataclass(frozen=True, slots=True)
class Positions:
    """Where each record with an anomaly stands that is not malformed, by its index in the load; and how many files or shards there are."""

    of: Mapping[int, Position]
    files: int

    def told(self, indexes: Sequence[int | None]) -> str:
        """Returns how these records of the load stand, but for malformed ones and phantoms."""
        known = [self.of[index] for index in indexes if index is not None and index in self.of]
        return told(known, self.files) or behind(known)


def positions(db: duckdb.DuckDBPyConnection) -> Positions:
    """Returns where the records of a run stand."""
    found = {
        index: Position(
            within, place, many, int(sequence) if within and sequence and len(sequence) < _LONGEST_LINE else None, after, spoilt
        )
        for index, within, place, many, sequence, after, spoilt in db.execute(_PLACES).fetchall()
    }
    [(files,)] = db.execute(
        "SELECT count(*) FROM (SELECT shard FROM ends WHERE shard IS NOT NULL GROUP BY 1 HAVING count(*) > 1)"
    ).fetchall()
    return Positions(found, files)


def behind(of: Sequence[Position]) -> str:
    """Returns that these records stand right behind malformed ones, where all do that have none of these before them, and not by chance; else an empty text."""
    standing = {(one.within, one.place) for one in of}
    first = [one for one in of if (one.within, one.place - 1) not in standing]
    kinds = sorted({one.behind for one in first if one.behind})
    if not first or not all(one.behind for one in first) or math.prod(one.malformed for one in first) > _BEHIND_BY_CHANCE:
        return ""
    return f"right behind malformed records ({', '.join(kinds)})"


def told(of: Sequence[Position], files: int) -> str:
    """Returns how these records stand in each of their files or shards, where all stand alike and not by chance; else an empty text."""
    groups: dict[str | None, list[Position]] = defaultdict(list)
    for one in sorted(of, key=lambda one: one.place):
        groups[one.within].append(one)
    shapes = {_shape(group) for group in groups.values()}
    if len(shapes) == 2:
        # A short file may be lost as a whole where of longer ones the end is.
        shapes -= {"all"}
    if (
        len(shapes) != 1
        or not (shape := shapes.pop())
        or math.prod(_chance(shape, group) for group in groups.values()) > _BY_CHANCE
    ):
        return ""
    kind = "shard" if (of[0].within or "").startswith("shardId-") else "file"
    # Of a load that has files too, records without one are a part that has no name.
    if (None in groups and (files or shape == "all")) or (shape == "all" and len(groups) == files):
        return ""
    if len(groups) == 1:
        [(within, group)] = groups.items()
        name = "the load" if within is None else unquote(within.rpartition("/")[2].partition("@")[0])
        return f"{_which(shape, group)} of {name}{_numbers(name, group)}"
    which = {_which(_shape(group), group) for group in groups.values()}
    return f"{which.pop() if len(which) == 1 else _SEVERAL[shape]} of each of {len(groups):,} {kind}s (of {files:,})"


_SEVERAL = {"all": "all records", "end": "the last records", "start": "the first records", "run": "records without a gap"}


def _shape(group: Sequence[Position]) -> str:
    first, last = group[0], group[-1]
    if last.place - first.place + 1 != len(group):
        return ""
    if len(group) == first.many:
        return "all"
    return "end" if last.place == last.many else "start" if first.place == 1 else "run"


def _chance(shape: str, group: Sequence[Position]) -> float:
    """Returns how likely so many records stand like this by chance."""
    many = group[0].many
    if shape == "all":
        return 0.5**many
    return (many - len(group) + 1 if shape == "run" else 1) / math.comb(many, len(group))


def _which(shape: str, group: Sequence[Position]) -> str:
    many, found = group[0].many, len(group)
    if shape == "all":
        return "all records" if many > 1 else "the record"
    records = "record" if found == 1 else f"{found:,} records"
    return f"the {'last' if shape == 'end' else 'first'} {records}" if shape != "run" else f"{records} without a gap"


def _numbers(name: str, group: Sequence[Position]) -> str:
    first, last = group[0], group[-1]
    if first.line is None or last.line is None:
        return f" ({first.place:,} to {last.place:,} of {first.many:,})" if len(group) > 1 else ""
    return f" ({name}:{first.line} to {last.line})" if len(group) > 1 else f" ({name}:{first.line})"
