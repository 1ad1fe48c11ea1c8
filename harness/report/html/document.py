"""All that a report shows of a run, as one JSON document, from what the run has left in its directory."""

from __future__ import annotations

import functools
from collections import Counter
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import duckdb

from harness.accounting.reconcile import ANOMALIES_FILE, OUTCOMES_FILE
from harness.accounting.verdict import ANOMALIES
from harness.documents import read_json
from harness.faults.plan import PARTIAL
from harness.report.html import positions, records, series
from harness.report.html.clusters import Anomaly, clusters
from harness.report.html.happened import Happened, happened
from harness.report.html.traits import traits
from harness.report.result import read_result
from harness.run.journal import JOURNAL
from harness.run.run_dir import FAULTS, LEDGER, OBSERVATIONS, PLAN, readable
from harness.run.trace import HOW, Hop, faults_by_request, logical, renamed, ways

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from harness.report.html.records import Named, Row

SCHEMA = 1
_MOST_SITES = 30
_LEAST_LOG = 400
_LEAST_TRACED = 50
_LEAST_OTHERS = 10
# Of a run that was reconciled.
_NEEDED = (LEDGER, OBSERVATIONS, OUTCOMES_FILE, ANOMALIES_FILE, JOURNAL, PLAN)
_SERVICE_KINDS = ("throttle", "error", "partial", "latency", "hang", "cut", "reply_lost")
_FUNCTION_KINDS = (
    "lambda_error_before", "lambda_error_after", "lambda_timeout", "lambda_throttled", "lambda_killed_before", "lambda_killed_during",
    "lambda_killed_after", "lambda_init", "lambda_slow",
)  # fmt: skip

# Older runs know of no rules, and one that was not reconciled of no outcomes.
_ENDS = """
CREATE TABLE ends AS
SELECT l.index, l.record_id, l.malformed, l.status, l.shard, l.sequence, l.offered_at_ms, l.detail, l.filtered,
       o.ended, o.sighting,
       -- Where a probe knows no time, the journal knows when an object was written.
       -- S3 tells whole seconds.
       CASE WHEN w.at_ms - o.seen_at_ms BETWEEN 0 AND 1000 THEN w.at_ms ELSE coalesce(o.seen_at_ms, w.at_ms) END AS seen_at_ms,
       CASE WHEN w.at_ms - o.stored_at_ms BETWEEN 0 AND 1000 OR (o.ended = 'stored' AND o.stored_at_ms IS NULL) THEN w.at_ms ELSE o.stored_at_ms END AS stored_at_ms
FROM (SELECT NULL::VARCHAR AS filtered WHERE false UNION ALL BY NAME FROM read_parquet($ledger)) l LEFT JOIN outcomes o USING (index)
LEFT JOIN written w ON o.sighting = w.n
"""
_NO_OUTCOMES = (
    "CREATE TABLE outcomes (index BIGINT, ended VARCHAR, stored_at_ms BIGINT, seen_at_ms BIGINT, sighting BIGINT); "
    "CREATE TABLE anomalies (anomaly VARCHAR, index BIGINT, record_id VARCHAR, why VARCHAR)"
)
# Of the records without an anomaly some, by chance.
_USUAL = """SELECT promised FROM promises SEMI JOIN (
    SELECT index FROM ends ANTI JOIN anomalies USING (index) WHERE malformed IS NULL AND filtered IS NULL ORDER BY hash(index) LIMIT 500
) USING (index) WHERE promised IS NOT NULL"""
_EMPTY = """CREATE TABLE ends (index BIGINT, record_id VARCHAR, malformed VARCHAR, status VARCHAR, shard VARCHAR, sequence VARCHAR, offered_at_ms BIGINT,
detail VARCHAR, filtered VARCHAR, ended VARCHAR, stored_at_ms BIGINT, seen_at_ms BIGINT, sighting BIGINT);
CREATE TABLE promises (index BIGINT, promised BLOB)"""


@dataclass(frozen=True, slots=True)
class Kept:
    """How much of a run its report keeps."""

    anomalies: int = 5_000
    traced: int = 400
    """Anomalies with their way, and half as many other records."""
    others: int = 40
    """Records without an anomaly, of each kind of record."""
    log_characters: int = 3_000

    def less(self) -> Kept:
        """Returns less: shorter logs first, then fewer ways and fewer healthy records, and fewer anomalies only where little else is left."""
        if self.log_characters > _LEAST_LOG:
            return replace(self, log_characters=max(self.log_characters // 2, _LEAST_LOG))
        if self.traced > _LEAST_TRACED:
            return replace(self, traced=max(self.traced * 2 // 3, _LEAST_TRACED), others=max(self.others * 2 // 3, _LEAST_OTHERS))
        return replace(self, anomalies=self.anomalies * 2 // 3)


class Gathered:
    """What a report can be made of. To read it takes most of the time; `document` then says it at the length that is wanted."""

    def __init__(self, run_dir: Path) -> None:
        """Raises UsageError for a directory that is none of a run with a result."""
        with readable(run_dir), duckdb.connect() as db:
            result = read_result(run_dir)
            plan = read_json(run_dir / PLAN, "plan") if (run_dir / PLAN).exists() else {}
            faults = read_json(run_dir / FAULTS, "faults") if (run_dir / FAULTS).exists() else {"plan": [], "fired": []}
            names = logical(plan.get("names") or {})
            # The same few names stand in all entries.
            self._named = functools.cache(lambda text: renamed(text, names))
            met = faults_by_request(faults["fired"])
            self._happened = happened(run_dir, met, self._named)
            self._begin_ms, end_ms = _tables(db, run_dir, self._happened, faults["fired"])
            self._records = records.records(db, run_dir, Kept().anomalies, Kept().others)
            traced = _traced(self._records, Kept().traced)
            ways_found = ways(run_dir, [(row["record_id"], row["shard"], row["sequence"]) for row in traced], met)
            self._ways = {row["index"]: hops for row, hops in zip(traced, ways_found, strict=True)}
            kinds = {fault["id"]: fault["kind"] for fault in faults["plan"]}
            anomalous = [self._ways[row["index"]] for row in traced if row["anomalies"]]
            self._counts = _counts(db)
            self._positions = positions.positions(db)
            self._usual = [traits(promised) for (promised,) in db.execute(_USUAL).fetchall()]
            self._same = {
                "schema": SCHEMA,
                "missing": [name for name in _NEEDED if result["outcome"]["stored"] is not None and not (run_dir / name).exists()],
                "result": {
                    **{name: value for name, value in result.items() if name != "examples"},
                    "description": _description(plan),
                },
                "places": list(_places(plan)),
                "begin_ms": self._begin_ms,
                "took_ms": end_ms - self._begin_ms,
                "flows": _flows(db),
                "timeline": series.timeline(db, self._begin_ms, end_ms),
                "firings": series.firings(faults["fired"], kinds, self._named, self._begin_ms),
                "shares": series.SHARES,
                "latencies": series.latencies(db, self._begin_ms, end_ms),
                "functions": series.functions(db),
                "invocations": series.invocations(db, self._begin_ms),
                "coverage": _coverage(db, self._happened, faults["fired"], kinds, anomalous, self._named),
            }

    def document(self, kept: Kept) -> dict[str, Any]:
        """Returns the report as JSON has it."""
        anomalous = series.evenly([row for row in self._records if row["anomalies"]], kept.anomalies)
        others = [row for row in self._records if not row["anomalies"] and row["place_of_kind"] < kept.others]
        chosen = [*anomalous, *others]
        traced = {row["index"] for row in _traced(chosen, kept.traced)}
        told = [self._ways.get(row["index"]) if row["index"] in traced else None for row in chosen]
        counts = {**self._counts, "anomalous_kept": len(anomalous), "others_kept": len(others)}
        return {**self._same, "kept": counts, **self._in_words(chosen, told, kept)}

    def _in_words(self, chosen: Sequence[Row], ways_told: Sequence[Sequence[Hop] | None], kept: Kept) -> dict[str, Any]:
        """Returns the records, the hops that carried them (each told once, and named by its number) and the clusters of the anomalies."""
        numbers: dict[tuple[object, ...], int] = {}
        hops: list[dict[str, Any]] = []

        def number(hop: Hop) -> int:
            # States of one execution have its id, and several may fail at once.
            key = hop.request_id, hop.entry["at_ms"], hop.entry["kind"], hop.entry["name"], hop.entry.get("error"), hop.then
            if key not in numbers:
                numbers[key] = len(hops)
                hops.append(records.hop_of(hop, self._named, self._begin_ms, kept.log_characters))
            return numbers[key]

        rows = []
        anomalies = []
        well = [(row, self._with_names(way)) for row, way in zip(chosen, ways_told, strict=True) if way and not row["anomalies"]]
        healthy = [way for row, way in well if row.get("ended") == "stored"]
        refused = [way for row, way in well if row.get("malformed")]
        for place, (row, way) in enumerate(zip(chosen, ways_told, strict=True)):
            one = records.record(row, self._named, self._begin_ms)
            if way is None:
                # Told in full where the way is, too.
                one |= {"promised": None, "content": None}
            if row["anomalies"]:
                told = None if way is None else self._with_names(way)
                fields = tuple(name for name, _, _ in one["differences"])
                of_it = traits(row.get("promised"))
                malformed = bool(row.get("malformed"))
                anomalies.append(
                    Anomaly(place, row["record_id"], row["anomalies"][0], one["whys"][0], fields, told, of_it, malformed)
                )
            shown = records.shown(way or ())
            # A number says which hop, and how near it was.
            told_way = None if way is None else [number(hop) * len(HOW) + HOW.index(hop.how) for hop in shown]
            rows.append({**one, "way": told_way, "left_out": len(way or ()) - len(shown)})
        found = clusters(anomalies, self._happened.failed_calls, self._usual, healthy, refused)
        return {
            "records": rows,
            "hops": hops,
            "clusters": [
                {**asdict(one), "position": self._position([rows[place]["index"] for place in one.records])} for one in found
            ],
        }

    def _position(self, indexes: Sequence[int | None]) -> str:
        """Returns how these records of the load stand in their files or shards, but for malformed ones and phantoms."""
        return self._positions.told(indexes)

    def _with_names(self, way: Sequence[Hop]) -> list[Hop]:
        """Returns the hops with the names of the template."""
        return [
            replace(hop, entry={**hop.entry, "name": self._named(hop.entry["name"]), "of": self._named(hop.entry.get("of") or "")})
            for hop in way
        ]


def _traced(chosen: Sequence[Row], most: int) -> list[Row]:
    """Returns the records whose way is told: of those with an anomaly and of the others evenly chosen ones. A phantom has none: the load did not offer it."""
    anomalous = [row for row in chosen if row["anomalies"] and row["index"] is not None]
    return series.evenly(anomalous, most) + series.evenly([row for row in chosen if not row["anomalies"]], most // 2)


def _description(plan: Mapping[str, Any]) -> str:
    return str((plan.get("document") or {}).get("description") or "")


def _places(plan: Mapping[str, Any]) -> Iterator[str]:
    """Yields where the probes of the scenario look, as it names the places."""
    for probe in (plan.get("document") or {}).get("probes", ()):
        named = [value for key, value in probe.items() if isinstance(value, str) and ("${" in value or key == "prefix")]
        yield " ".join([str(probe.get("kind") or probe.get("use")), *named])


def _tables(db: duckdb.DuckDBPyConnection, run_dir: Path, found: Happened, log: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    """Makes the tables that all else is asked from, and returns when the run's records were on their way, from and until in ms."""
    db.execute("SET enable_progress_bar = false")
    db.register("happened", found.table)
    db.register("puts", found.puts)
    if (observations := run_dir / OBSERVATIONS).exists():
        sightings = f"(SELECT file_row_number AS n, place FROM read_parquet('{_quoted(observations)}', file_row_number = true))"
    else:
        sightings = "(SELECT NULL::BIGINT AS n, NULL::VARCHAR AS place WHERE false)"
    db.execute(f"CREATE VIEW written AS SELECT n, at_ms FROM {sightings} JOIN puts USING (place)")
    if (run_dir / OUTCOMES_FILE).exists():
        db.execute(f"CREATE TABLE outcomes AS FROM read_parquet('{_quoted(run_dir / OUTCOMES_FILE)}')")
        db.execute(f"CREATE TABLE anomalies AS FROM read_parquet('{_quoted(run_dir / ANOMALIES_FILE)}')")
    else:
        db.execute(_NO_OUTCOMES)
    ledger = run_dir / LEDGER
    if ledger.exists():
        db.execute(_ENDS, {"ledger": str(ledger)})
        db.execute(f"CREATE VIEW promises AS SELECT index, promised FROM read_parquet('{_quoted(ledger)}')")
    else:
        db.execute(_EMPTY)
    times = sorted(one["at_ms"] for entry in log for one in entry["firings"])
    db.execute("CREATE TABLE fired AS SELECT unnest($times::DOUBLE[]) AS at_ms", {"times": times})
    row = db.execute("""
        SELECT min(begun), max(ended) FROM (
            SELECT min(offered_at_ms) AS begun, max(greatest(offered_at_ms, seen_at_ms)) AS ended FROM ends
            UNION ALL SELECT CASE WHEN NOT EXISTS (FROM ends) THEN min(at_ms) END, max(at_ms) FROM happened UNION ALL SELECT NULL, max(at_ms) FROM fired
        )
    """).fetchone()
    begin, end = row or (None, None)
    return float(begin or 0), float(end or begin or 0) if begin else 0.0


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def _flows(db: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Returns how many records went each way: what the first hop answered, how they ended, and what is wrong with that (the first of ANOMALIES; null where nothing
    is). A phantom was not offered."""
    order = "list_position($order, anomaly)"
    rows = db.execute(
        f"""
        SELECT status, ended, anomaly, count(*) FROM ends LEFT JOIN (
            SELECT index, arg_min(anomaly, {order}) AS anomaly FROM anomalies WHERE index IS NOT NULL GROUP BY 1
        ) USING (index) GROUP BY ALL ORDER BY ALL
        """,
        {"order": list(ANOMALIES)},
    ).fetchall()
    flows = [dict(zip(("status", "ended", "anomaly", "count"), row, strict=True)) for row in rows]
    [(phantoms,)] = db.execute("SELECT count(*) FROM anomalies WHERE index IS NULL").fetchall()
    return [*flows, {"status": None, "ended": None, "anomaly": "phantom", "count": phantoms}] if phantoms else flows


def _counts(db: duckdb.DuckDBPyConnection) -> dict[str, int]:
    [(offered, spoilt)] = db.execute(
        "SELECT (SELECT count(*) FROM ends), (SELECT count(DISTINCT index) FROM anomalies) + (SELECT count(*) FROM anomalies WHERE index IS NULL)"
    ).fetchall()
    return {"offered": offered, "anomalous": spoilt}


def _coverage(
    db: duckdb.DuckDBPyConnection,
    found: Happened,
    log: Sequence[Mapping[str, Any]],
    kinds: Mapping[str, str],
    ways_of_anomalies: Iterable[Sequence[Hop] | None],
    named: Named,
) -> dict[str, Any]:
    """Returns of each place where a fault can be, and each kind of fault there: how often it fired, and how often on the way of a record with an anomaly; null
    where that kind cannot be there. The busiest places come first."""
    # A call is hurt by what befell its invocation, too.
    hurt = {request for way in ways_of_anomalies for hop in way or () for request in (hop.request_id, hop.invocation)}
    fired: Counter[tuple[str, str, str]] = Counter()
    harmed: Counter[tuple[str, str, str]] = Counter()
    for entry in log:
        for one in entry["firings"]:
            caller = named(one.get("caller") or "")
            who, call = found.sites.get(one.get("request_id"), (caller, one.get("call") or ""))
            at = who, call, kinds.get(entry["id"], "")
            fired[at] += 1
            harmed[at] += one.get("request_id") in hurt
    places = db.execute(
        "SELECT who, call, count(*) FROM happened WHERE kind IN ('call', 'invocation') GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2"
    ).fetchall()
    shown = dict.fromkeys([(who, call) for who, call, _ in places[:_MOST_SITES]] + [at[:2] for at in fired])
    return {
        "kinds": [*_SERVICE_KINDS, *_FUNCTION_KINDS],
        "sites": [
            {
                "who": who,
                "call": call,
                "cells": [
                    [fired[who, call, kind], harmed[who, call, kind]] if fired[who, call, kind] or _can_be(call, kind) else None
                    for kind in (*_SERVICE_KINDS, *_FUNCTION_KINDS)
                ],
            }
            for who, call in shown
        ],
    }


def _can_be(call: str, kind: str) -> bool:
    if kind in _FUNCTION_KINDS:
        return not call
    return bool(call) and (kind != "partial" or tuple(call.partition(".")[::2]) in PARTIAL)
