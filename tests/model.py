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
    # What the load itself has put is no sighting of the pipeline's.
    put = {answer.put_at for _, answer in ledger if answer.put_at}
    observations = [o for o in observations if o.put_at not in put]
    found = resolve(ledger, observations)
    seen = defaultdict(list)
    counted = Counted()
    for n, o in enumerate(observations):
        for number in found.get(n, ()):
            seen[number].append(o)
        if n not in found:
            counted.anomalies["phantom"] += 1
    disordered = out_of_order(observations, found)
    beaten = beaten_rivals(ledger, seen)
    for number, (record, answer) in enumerate(ledger):
        outcomes = Counter(str(o.outcome) for o in seen[number])
        kinds = set(outcomes) | ({"rejected"} if answer.status == "rejected" else set())
        bytes_of_it = {hashed(record.payload), answer.file_hash}
        had_back = {
            str(o.outcome)
            for o in seen[number]
            if o.outcome == "stored" or not o.keeps_payload or (o.payload_hash and o.payload_hash in bytes_of_it)
        }
        ends = had_back | (kinds & {"rejected"})
        ended = next((k for k in ("stored", "dead_lettered", "alerted", "rejected") if k in ends), None)
        if ended is None and kinds:
            ended = "irrecoverable"
        elif ended is None:
            ended = "unacknowledged" if answer.status == "indeterminate" else "filtered" if record.filtered else "lost"
        (counted.anomalies if ended in {"lost", "irrecoverable"} else counted.outcome)[ended] += 1
        counted.outcome["recovered"] += answer.status == "indeterminate" and outcomes["stored"] > 0
        counted.anomalies["duplicated"] += outcomes["stored"] > 1
        # Dead-lettered and alerted are one outcome here: given up, and told.
        counted.anomalies["conflicting"] += len({"given up" if k in {"dead_lettered", "alerted"} else k for k in kinds}) > 1
        given_up = outcomes["dead_lettered"] + outcomes["alerted"]
        unwanted = record.promised is None and not record.filtered
        poison = unwanted or number in beaten
        if record.filtered:
            counted.anomalies["misrouted"] += outcomes["stored"] + given_up > 0
        elif poison:
            counted.anomalies["misrouted"] += outcomes["stored"] > 0
        else:
            counted.anomalies["misrouted"] += given_up > 0 and not outcomes["stored"]
        counted.anomalies["corrupted"] += (
            number in disordered
            or any(o.incomplete for o in seen[number])
            or (not unwanted and any(o.misplaced for o in seen[number]))
            or any(promise_broken(record.promised, o.content) for o in seen[number] if o.outcome == "stored" and record.promised)
            or any(
                o.outcome != "stored" and o.keeps_payload and o.payload_hash and o.payload_hash not in bytes_of_it
                for o in seen[number]
            )
        )
    return counted


def beaten_rivals(ledger, seen):
    """The records that are to be given up because a rival of theirs is stored, or is the first of all where none is stored."""
    groups = defaultdict(list)
    for number, (record, _) in enumerate(ledger):
        if record.rival and record.malformed is None:
            groups[record.rival].append(number)
    stored = {number for number, found in seen.items() if any(o.outcome == "stored" for o in found)}
    return {number for group in groups.values() for number in sorted(group, key=lambda n: (n not in stored, n))[1:]}


def resolve(ledger, observations):
    """Observation (by its place in the list) -> the numbers of its records."""
    by_sequence = {(a.shard, a.sequence): number for number, (_, a) in enumerate(ledger) if a.sequence}
    uploads = {a.shard for _, a in ledger}

    def belongs(number, outcome):
        record = ledger[number][0]
        return not record.filtered and (record.promised is not None) == (outcome == "stored")

    by_upload, by_id_there, by_id, by_payload, by_payload_there, by_all, by_both = (defaultdict(list) for _ in range(7))
    for number, (record, answer) in enumerate(ledger):
        by_upload[answer.shard].append(number)
        by_id_there[record.record_id, answer.shard].append(number)
        by_id[record.record_id].append(number)
        by_payload[hashed(record.payload)].append(number)
        by_payload_there[hashed(record.payload), answer.shard].append(number)
        by_all[record.record_id, hashed(record.payload), answer.shard].append(number)
        by_both[record.record_id, hashed(record.payload)].append(number)

    def upload(o):
        return o.shard if o.sequence is None and o.shard in uploads else None

    found = {n: [by_sequence[o.shard, o.sequence]] for n, o in enumerate(observations) if (o.shard, o.sequence) in by_sequence}
    for known, key_of in (
        (by_payload_there, lambda o: None if o.record_id or not upload(o) else (o.payload_hash, upload(o))),
        (None, lambda o: None if o.record_id else upload(o)),
        (by_all, lambda o: (o.record_id, o.payload_hash, upload(o)) if upload(o) and o.record_id and o.payload_hash else None),
        (by_id_there, lambda o: (o.record_id, upload(o)) if o.record_id and upload(o) else None),
        (by_payload_there, lambda o: (o.payload_hash, upload(o)) if o.payload_hash and upload(o) else None),
        (by_both, lambda o: None if upload(o) or not o.record_id or not o.payload_hash else (o.record_id, o.payload_hash)),
        (by_id, lambda o: None if upload(o) else o.record_id),
        (by_payload, lambda o: None if upload(o) else o.payload_hash),
    ):
        settled = {(number, observations[n].outcome) for n, numbers in found.items() for number in numbers}
        seen_rivals = {number for numbers in found.values() for number in numbers if ledger[number][0].rival}
        turns = Counter()
        for n, o in enumerate(observations):
            key = key_of(o)
            if n in found or key is None or (known is not None and key not in known):
                continue
            if known is None:
                # The upload as a whole.
                found[n] = by_upload[key]
                continue

            def turn(number, outcome=o.outcome, settled=settled, seen_rivals=seen_rivals):
                # The last of several rivals is the first to be given up.
                last_first = ledger[number][0].rival and outcome != "stored"
                place = -number if last_first else number
                return (number, outcome) in settled, number in seen_rivals, not belongs(number, outcome), place

            candidates = sorted(known[key], key=turn)
            found[n] = [candidates[turns[key, o.outcome] % len(candidates)]]
            turns[key, o.outcome] += 1
    return found


def out_of_order(observations, found):
    """The records that stand, in one place and by position, behind one that was offered later."""
    disordered, last = set(), {}
    ordered = (o for o in enumerate(observations) if o[1].outcome == "stored" and o[1].position is not None)
    for n, o in sorted(ordered, key=lambda item: item[1].position):
        for number in found.get(n, ()):
            if number < last.get(o.place, -1):
                disordered.add(number)
            last[o.place] = max(number, last.get(o.place, -1))
    return disordered


def hashed(payload):
    return hashlib.sha256(payload).digest()[:16]
