"""What was when, and how long things took: numbers for the pictures of a report."""

from __future__ import annotations

from collections import defaultdict
from itertools import accumulate
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import duckdb

_MOST_STEPS = 300
_STEPS_MS = (10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 30_000, 60_000, 300_000, 600_000, 3_600_000)
_MOST_FIRINGS = 2_000
_MOST_HOPS = 12
_MOST_INVOCATIONS = 300
_COLUMNS = 48
# A row of the heatmap is a factor of the square root of two, from a millisecond on.
_ROW = "cast(floor(2 * log2(greatest(ms, 1))) AS BIGINT)"
SHARES = (0.0, 0.1, 0.25, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.925, 0.95, 0.975, 0.99, 0.995, 0.999, 1.0)
"""Of which share of all the time is told, up to the slowest."""
END_TO_END = "offer to storage"


def timeline(db: duckdb.DuckDBPyConnection, begin_ms: float, end_ms: float) -> dict[str, Any]:
    """Returns series over the time of a run, a number for each step: of records those offered, stored, given up, and under way at its end (null where `timeless` records
    were seen, and nothing knows when); the iterator age of the oldest batch of a step in ms (null where none was read); and by function its invocations and how many
    of them failed."""
    step = next((step for step in _STEPS_MS if (end_ms - begin_ms) / step <= _MOST_STEPS), (end_ms - begin_ms) / _MOST_STEPS)
    steps = int((end_ms - begin_ms) // step) + 1
    parameters = {"begin": begin_ms, "step": step}

    def counted(column: str, of: str) -> list[int]:
        rows = db.execute(
            f"SELECT cast(floor(({column} - $begin) / $step) AS BIGINT), count(*) FROM {of} AND {column} IS NOT NULL GROUP BY 1",
            parameters,
        ).fetchall()
        return _filled(dict(rows), steps)

    offered = counted("offered_at_ms", "ends WHERE true")
    entered = counted("offered_at_ms", "ends WHERE ended <> 'rejected' AND ended <> 'unacknowledged'")
    left = counted("seen_at_ms", "ends WHERE ended <> 'rejected'")
    functions: dict[str, dict[str, list[int]]] = {}
    ages: dict[int, float] = {}
    rows = db.execute(
        "SELECT who, cast(floor((at_ms - $begin) / $step) AS BIGINT), count(*), count(*) FILTER (failed), max(age_ms) "
        "FROM happened WHERE kind = 'invocation' GROUP BY ALL ORDER BY ALL",
        parameters,
    ).fetchall()
    by_function: dict[str, dict[int, tuple[int, int]]] = defaultdict(dict)
    for who, at, count, failed, age in rows:
        by_function[who][at] = count, failed
        if age is not None:
            ages[at] = max(age, ages.get(at, 0))
    for who, found in by_function.items():
        functions[who] = {
            "invocations": _filled({at: count for at, (count, _) in found.items()}, steps),
            "failed": _filled({at: failed for at, (_, failed) in found.items()}, steps),
        }
    under_way = [max(0, came - went) for came, went in zip(accumulate(entered), accumulate(left), strict=True)]
    [(timeless,)] = db.execute("SELECT count(*) FROM ends WHERE sighting IS NOT NULL AND seen_at_ms IS NULL").fetchall()
    return {
        "step_ms": step,
        "offered": offered,
        "stored": counted("stored_at_ms", "ends WHERE ended = 'stored'"),
        "given_up": counted("seen_at_ms", "ends WHERE ended IN ('dead_lettered', 'alerted', 'irrecoverable')"),
        "under_way": None if timeless else under_way,
        "timeless": timeless,
        "age_ms": [None if at not in ages else round(ages[at]) for at in range(steps)],
        "functions": functions,
    }


def _filled(counts: Mapping[int, int], steps: int) -> list[int]:
    found = [0] * steps
    for at, count in counts.items():
        # What a probe has seen a moment after the last step belongs to it, and a clock may be a moment ahead.
        found[min(max(at, 0), steps - 1)] += count
    return found


def firings(
    log: Sequence[Mapping[str, Any]], kinds: Mapping[str, str], named: Callable[[str], str], begin_ms: float
) -> dict[str, Any]:
    """Returns each fault with the time from its first firing to its last, and its firings: all of them, or of many evenly chosen ones."""
    bands, marks = [], []
    for entry in log:
        fired = entry["firings"]
        if not fired:
            continue
        times = [one["at_ms"] - begin_ms for one in fired]
        bands.append(
            {"fault": entry["id"], "kind": kinds.get(entry["id"], ""), "from": min(times), "to": max(times), "fired": len(fired)}
        )
        marks += [
            {
                "at": one["at_ms"] - begin_ms,
                "fault": entry["id"],
                "call": one.get("call") or "",
                "who": named(one.get("caller") or ""),
            }
            for one in fired
        ]
    marks.sort(key=lambda one: one["at"])
    return {"bands": bands, "marks": evenly(marks, _MOST_FIRINGS), "fired": len(marks)}


def evenly(values: list[Any], most: int) -> list[Any]:
    """Returns all values, or of many so many evenly chosen ones."""
    return values if len(values) <= most else [values[at * len(values) // most] for at in range(most)]


def latencies(db: duckdb.DuckDBPyConnection, begin_ms: float, end_ms: float) -> list[dict[str, Any]]:
    """Returns for each hop (the whole way first, then functions and calls, the busiest first) how long it took: by shares of all, where a fault met it and where
    none did; and how often by time and by duration. The whole way counts as met where a fault fired anywhere while the record was under way."""
    db.execute("""
        CREATE OR REPLACE TEMP VIEW timed AS
        SELECT '' AS who, '' AS call, seen.at_ms, seen.ms, coalesce(f.at_ms >= seen.offered_at_ms, false) AS hurt
        FROM (SELECT stored_at_ms AS at_ms, offered_at_ms, greatest(stored_at_ms - offered_at_ms, 0) AS ms FROM ends WHERE stored_at_ms IS NOT NULL) seen
        ASOF LEFT JOIN (FROM fired) f ON seen.at_ms >= f.at_ms
        UNION ALL
        SELECT who, call, at_ms, took_ms AS ms, hurt FROM happened WHERE kind IN ('invocation', 'call')
    """)
    hops: list[dict[str, Any]] = []
    busiest = db.execute(
        "SELECT who, call, count(*) FROM timed GROUP BY 1, 2 ORDER BY who <> '', call <> '', 3 DESC, 1, 2"
    ).fetchall()
    width = max(end_ms - begin_ms, 1) / _COLUMNS
    for who, call, count in busiest[:_MOST_HOPS]:
        of = {"who": who, "call": call}
        curves = db.execute(
            "SELECT hurt, count(*), quantile_cont(ms, $shares) FROM timed WHERE who = $who AND call = $call GROUP BY 1",
            of | {"shares": list(SHARES)},
        ).fetchall()
        heat = db.execute(
            f"SELECT least(greatest(cast(floor((at_ms - $begin) / $width) AS BIGINT), 0), {_COLUMNS - 1}), {_ROW}, count(*) "
            "FROM timed WHERE who = $who AND call = $call GROUP BY 1, 2 ORDER BY 1, 2",
            of | {"begin": begin_ms, "width": width},
        ).fetchall()
        by_hurt = {hurt: {"count": many, "ms": [round(value, 1) for value in values]} for hurt, many, values in curves}
        name = f"{who} → {call}" if call else who or END_TO_END
        hops.append(
            {
                "hop": name,
                "count": count,
                "met": by_hurt.get(True),
                "unmet": by_hurt.get(False),
                "heat": [list(cell) for cell in heat],
            }
        )
    return hops


def invocations(db: duckdb.DuckDBPyConnection, begin_ms: float) -> list[list[Any]]:
    """Returns of each invocation, or of many evenly chosen ones, when it began in ms, who it was, how long it took, whether it failed, its calls and how many of them
    failed, what they were, and its request id."""
    rows = db.execute("""
        SELECT i.at_ms - i.took_ms, i.who, i.took_ms, i.failed, count(c.id), count(c.id) FILTER (c.failed), list(DISTINCT c.call ORDER BY c.call) FILTER (c.id IS NOT NULL), i.id
        FROM (FROM happened WHERE kind = 'invocation') i LEFT JOIN (FROM happened WHERE kind = 'call' AND within <> '') c
        -- Another attempt has the same id.
        ON c.within = i.id AND c.at_ms BETWEEN i.at_ms - i.took_ms - 1 AND i.at_ms + 1
        GROUP BY ALL ORDER BY 1, 2
    """).fetchall()
    return evenly(
        [
            [round(at - begin_ms), who, round(took), failed, calls, bad, ", ".join(what or ()), name]
            for at, who, took, failed, calls, bad, what, name in rows
        ],
        _MOST_INVOCATIONS,
    )


def functions(db: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Returns of each function its invocations, how many of them failed, cold starts and how long they took, durations without them in ms, and the most memory in MB."""
    columns = "name", "invocations", "failed", "cold", "init_ms", "p50_ms", "p99_ms", "max_ms", "memory_mb"
    rows = db.execute("""
        SELECT who, count(*) FILTER (kind = 'invocation'), count(*) FILTER (kind = 'invocation' AND failed), count(*) FILTER (kind = 'init'),
               quantile_cont(init_ms, 0.5),
               quantile_cont(took_ms, 0.5) FILTER (kind = 'invocation'), quantile_cont(took_ms, 0.99) FILTER (kind = 'invocation'),
               max(took_ms) FILTER (kind = 'invocation'), max(memory_mb)
        FROM happened WHERE kind IN ('invocation', 'init') GROUP BY 1 ORDER BY 2 DESC, 1
    """).fetchall()
    return [dict(zip(columns, row, strict=True)) for row in rows]
