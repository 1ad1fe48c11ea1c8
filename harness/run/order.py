"""The order of an earlier run, for a replay to repeat: the batches that mappings took from streams, and the writes of objects that several
invocations write. Read from the run's journal (harness/inside/journal.py)."""

from __future__ import annotations

import base64
import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from harness.faults.carried import digest, text_of_event

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.run.addresses import Entries, Entry, Records


def batches(entries: Iterable[Entry]) -> list[dict[str, Any]]:
    """Returns the batches that mappings took from streams, for harness/inside/kinesis/script.py: {stream, shard, function, batches}, with
    the digests of the records of each batch. What was delivered again, whole or in parts, is one batch."""
    last: dict[tuple[str, str, str], int] = {}
    found: dict[tuple[str, str, str], list[list[str]]] = {}
    for entry in entries:
        if entry["kind"] != "invocation" or '"aws:kinesis"' not in entry["carried"]:
            continue
        try:
            records = [
                (
                    one["eventSourceARN"].rpartition("/")[2],
                    one["eventID"].partition(":")[0],
                    int(one["kinesis"]["sequenceNumber"]),
                    digest(base64.b64decode(one["kinesis"]["data"])),
                )
                for one in json.loads(entry["carried"])["Records"]
            ]
        except (ValueError, KeyError, TypeError, AttributeError):
            # An event that only looks like one of a stream.
            continue
        new: list[str] = []
        for stream, shard, sequence, of_data in records:
            key = (stream, shard, entry["name"])
            if sequence > last.get(key, -1):
                last[key] = sequence
                if not new:
                    found.setdefault(key, []).append(new)
                new.append(of_data)
    return [
        {"stream": stream, "shard": shard, "function": function, "batches": of_it}
        for (stream, shard, function), of_it in found.items()
    ]


def writes(entries: Entries, records: Records) -> list[dict[str, Any]]:
    """Returns the order of the writes of each object that several invocations have written, for harness/inside/writes.py: {place, writes}, with
    the first record of each writing invocation. An object is left out that an invocation has written whose event has no record."""
    of_places: dict[str, list[str]] = defaultdict(list)
    for entry in entries():
        if entry["kind"] == "call" and entry["call"] == "s3.PutObject" and entry["invocation"] and 200 <= entry["status"] < 300:
            of_places[entry["put"]].append(entry["invocation"])
    contended = {place: found for place, found in of_places.items() if len(set(found)) > 1}
    wanted = {request_id for found in contended.values() for request_id in found}
    texts: dict[str, tuple[str, ...]] = {}
    for entry in entries() if wanted else ():
        if entry["kind"] == "invocation" and entry["id"] in wanted:
            texts[entry["id"]] = records.first_in(text_of_event(entry["carried"]))
    ordered = {place: [texts.get(request_id, ()) for request_id in found] for place, found in contended.items()}
    return [{"place": place, "writes": found} for place, found in ordered.items() if all(found) and len(set(found)) > 1]
