"""A plain-Python model of the reconciliation: slow, short, and written from DESIGN's words, not from the SQL."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from dataclasses import dataclass, field


@dataclass
class Counted:
    outcome: Counter = field(default_factory=Counter)
    anomalies: Counter = field(default_factory=Counter)


def count(ledger, observations, promise_broken):
    """`ledger`: (record, answer) pairs; `observations` in order. Counts as result.json has them."""
    by_sequence = {(a.shard, a.sequence): r.number for r, a in ledger if a.sequence}
    by_id, by_payload = defaultdict(list), defaultdict(list)
    for record, _ in ledger:
        by_id[record.record_id].append(record.number)
        by_payload[hashed(record.payload)].append(record.number)
    found = {n: by_sequence[o.shard, o.sequence] for n, o in enumerate(observations) if (o.shard, o.sequence) in by_sequence}
    for known, key_of in ((by_id, lambda o: o.record_id), (by_payload, lambda o: o.payload_hash)):
        settled = {(number, observations[n].outcome) for n, number in found.items()}
        turns = Counter()
        for n, o in enumerate(observations):
            key = key_of(o)
            if n in found or key is None or key not in known:
                continue
            candidates = sorted(known[key], key=lambda number: ((number, o.outcome) in settled, number))
            found[n] = candidates[turns[key, o.outcome] % len(candidates)]
            turns[key, o.outcome] += 1
    seen = defaultdict(list)
    counted = Counted()
    for n, o in enumerate(observations):
        if n in found:
            seen[found[n]].append(o)
        else:
            counted.anomalies["phantom"] += 1
    for record, answer in ledger:
        outcomes = Counter(str(o.outcome) for o in seen[record.number])
        kinds = set(outcomes) | ({"rejected"} if answer.status == "rejected" else set())
        ended = next((k for k in ("stored", "dead_lettered", "alerted", "rejected") if k in kinds), None)
        if ended is None:
            ended = "unacknowledged" if answer.status == "indeterminate" else "lost"
        (counted.anomalies if ended == "lost" else counted.outcome)[ended] += 1
        counted.outcome["recovered"] += answer.status == "indeterminate" and outcomes["stored"] > 0
        counted.anomalies["duplicated"] += outcomes["stored"] > 1
        # Dead-lettered and alerted are one outcome here: given up, and told.
        counted.anomalies["conflicting"] += len({"given up" if k in {"dead_lettered", "alerted"} else k for k in kinds}) > 1
        poison = record.promised is None
        counted.anomalies["misrouted"] += (poison and outcomes["stored"] > 0) or (
            not poison and outcomes["dead_lettered"] + outcomes["alerted"] > 0 and not outcomes["stored"]
        )
        counted.anomalies["corrupted"] += any(
            promise_broken(record.promised, o.content) for o in seen[record.number] if o.outcome == "stored" and not poison
        ) or any(o.outcome != "stored" and o.payload_hash not in {None, hashed(record.payload)} for o in seen[record.number])
    return counted


def hashed(payload):
    return hashlib.sha256(payload).digest()[:16]
