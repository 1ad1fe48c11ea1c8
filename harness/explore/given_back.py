"""What an invocation gave back: the items of its batch that its answer reports as failed, where the mapping reads that. They are delivered again.

Sources: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html,
https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html (from the lowest sequence number on)
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.faults.carried import text_of_event
from harness.run.journal import entries

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

_MARK = b'"gives_back": true'
# Of an answer that is cut off in the journal.
_FAILED_ITEM = re.compile(r'"itemIdentifier"\s*:\s*"([^"]+)"')


@dataclass(frozen=True, slots=True)
class Batch:
    """The payloads of an invocation's batch as texts: those that it gave back, and those that it kept."""

    back: str
    kept: str


def given_back(run_dir: Path, invocations: Collection[str]) -> dict[str, Batch]:
    """Returns what each of these invocations (request ids) gave back, where its mapping reads such answers."""
    reporting = entries(run_dir, lambda line: _MARK in line)
    return {entry["id"]: _batch(entry) for entry, _ in reporting if entry["id"] in invocations}


def _batch(entry: Mapping[str, Any]) -> Batch:
    items = json.loads(entry["carried"])["Records"]
    places = [_identity(item) for item in items]
    failed = _failed(entry["answer"], places)
    if "messageId" not in items[0]:
        first = min((place for place, name in enumerate(places) if name in failed), default=len(items))
        failed = set(places[first:])
    texts: dict[bool, list[Any]] = {True: [], False: []}
    for item, name in zip(items, places, strict=True):
        texts[name in failed].append(_payload(item))
    return Batch(*(text_of_event(json.dumps(texts[is_back])) for is_back in (True, False)))


def _failed(answer: str, batch: Sequence[str]) -> set[str]:
    """Returns the names of the items that an answer reports; those of the whole batch where it names one that is not there, as all of it is delivered again then."""
    try:
        named = {str(one["itemIdentifier"]) for one in json.loads(answer)["batchItemFailures"]}
    except ValueError:
        named = set(_FAILED_ITEM.findall(answer))
    except (TypeError, LookupError):
        return set(batch)
    return named if named.issubset(batch) else set(batch)


def _identity(item: Mapping[str, Any]) -> str:
    """Returns the name by which an item is reported."""
    if "kinesis" in item:
        return str(item["kinesis"]["sequenceNumber"])
    return str(item["dynamodb"]["SequenceNumber"] if "dynamodb" in item else item["messageId"])


def _payload(item: Mapping[str, Any]) -> Any:
    """Returns what of an item is data: what the service adds may look like the id of a record."""
    if "kinesis" in item:
        return {name: item["kinesis"].get(name) for name in ("data", "sequenceNumber")}
    if "dynamodb" in item:
        return {name: item["dynamodb"].get(name) for name in ("Keys", "NewImage", "OldImage")}
    return {name: item.get(name) for name in ("body", "messageAttributes")}
