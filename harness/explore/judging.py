"""How a run under faults is judged. What an outage does to a pipeline that works is no finding: records that are given up and told, also such as were stored before their last attempt failed."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import duckdb

from harness.explore.given_back import given_back
from harness.run.trace import FILE, carries, names_file, ways

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from harness.explore.given_back import Batch
    from harness.run.trace import Hop
    from harness.scenario.scenario import Scenario

TOLD = ("misrouted", "conflicting")
"""Anomalies that faults bring about in a pipeline that works."""

_COUNTED, _BESIDES = frozenset({"metric"}), frozenset({"alarm", "archive", "email"})
_OF_MACHINES = frozenset({"execution", "state"})


def under_faults(scenario: Scenario, *, outage: bool, found: Mapping[str, int] = MappingProxyType({})) -> Scenario:
    """Returns the scenario with leave to give up healthy records, because what an outage drives into a dead-letter queue is told, and not lost; and without checks of
    metrics, because what is tried again is counted again. An `outage` may also keep an e-mail from being sent, a file from being archived, and
    an alarm from ringing by keeping away what it watches. Anomalies that were `found` are not allowed."""
    told = {name: "all" for name in TOLD if not found.get(name)}
    left_out = _COUNTED | _BESIDES if outage else _COUNTED
    checks = tuple(check for check in scenario.checks if check.kind not in left_out)
    send: Any = scenario.send
    if outage and "within_s" in type(send).model_fields:
        # What is not fetched while the outage lasts is fetched after it: to wait for longer shows no more.
        send = send.model_copy(update={"within_s": min(send.within_s, scenario.faults_timeout_s)})
    return scenario.model_copy(update={"allow": {**scenario.allow, **told}, "checks": checks, "send": send})


def beyond(scenario: Scenario, found: Mapping[str, int]) -> dict[str, int]:
    """Returns those of the told anomalies that were found of more records than the scenario itself allows."""
    return {name: count for name in TOLD if (count := found.get(name, 0)) > scenario.allowed.get(name, 0)}


def found_among_told(run_dir: Path) -> dict[str, int]:
    """Returns of how many records of a run under faults no fault explains the anomaly. Misrouted are those that are stored and must not be; conflicting are those that are stored and
    given up although the last attempt at them succeeded and did not give them back, or that the first hop had rejected."""
    anomalies, ledger = (str(run_dir / f"{name}.parquet") for name in ("anomalies", "ledger"))
    with duckdb.connect() as db:
        stored = db.execute(
            "SELECT count(DISTINCT index) FROM read_parquet($1) WHERE anomaly = 'misrouted' AND contains(why, 'and stored')",
            [anomalies],
        ).fetchall()
        conflicting = db.execute(
            "SELECT record_id, shard, sequence, status FROM read_parquet($1) SEMI JOIN (FROM read_parquet($2) WHERE anomaly = 'conflicting') USING (index)",
            [ledger, anomalies],
        ).fetchall()
    records = [(record_id, shard, sequence) for record_id, shard, sequence, _ in conflicting]
    found = ways(run_dir, records, {})
    last = [_last_attempt(hops) for hops in found]
    returned = given_back(run_dir, {attempt.request_id for attempt in last if attempt})
    explained = [
        status != "rejected"
        and attempt is not None
        and (bool(attempt.entry.get("error")) or _is_back(returned.get(attempt.request_id), record, by_file=_comes_by_file(hops)))
        for (*_, status), record, attempt, hops in zip(conflicting, records, last, found, strict=True)
    ]
    return {"misrouted": int(stored[0][0]), "conflicting": explained.count(False)}


def _comes_by_file(hops: Sequence[Hop]) -> bool:
    """Returns whether no invocation had the record itself: what they had names its file."""
    return all(hop.how == FILE for hop in hops if hop.entry["kind"] == "invocation")


def _is_back(batch: Batch | None, record: tuple[str, str | None, str | None], *, by_file: bool) -> bool:
    has = names_file if by_file else carries
    return batch is not None and has(batch.back, record) and not has(batch.kept, record)


def _last_attempt(hops: Sequence[Hop]) -> Hop | None:
    """Returns the last invocation with a record; where there is none, the last execution. One that succeeds, and does not give the record back, knows what it gives up."""
    invocations = [hop for hop in hops if hop.entry["kind"] == "invocation"]
    attempts = invocations or [hop for hop in hops if hop.entry["kind"] in _OF_MACHINES]
    return attempts[-1] if attempts else None
