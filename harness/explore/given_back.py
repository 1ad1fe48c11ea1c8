"""What an invocation gave back: the items of its event that its answer reports as failed, and that are delivered again.

Source: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html,
https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html (the lowest sequence number counts)
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from harness.faults.carried import text_of_event
from harness.run.journal import entries

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

_REPORTED = "batchItemFailures"
# An answer is cut off where it is long, and is no JSON then.
_FAILED_ITEM = re.compile(r'"itemIdentifier"\s*:\s*"([^"]*)"')


def given_back(run_dir: Path, invocations: Collection[str]) -> dict[str, str]:
    """Returns as a text what each of these invocations (request ids) gave back; those that gave nothing back are left out."""
    reporting = entries(run_dir, lambda line: _REPORTED.encode() in line)
    found = {entry["id"]: _items(entry) for entry, _ in reporting if entry["id"] in invocations and entry["kind"] == "invocation"}
    return {name: text_of_event(json.dumps(items)) for name, items in found.items() if items}


def _items(entry: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    failed = set(_FAILED_ITEM.findall(entry["answer"])) if _REPORTED in entry["answer"] else set()
    try:
        items = json.loads(entry["carried"])["Records"]
        names = [_identity(item) for item in items]
    except (ValueError, TypeError, LookupError, AttributeError):
        return []
    if not failed <= {name for name, _ in names}:
        # A name that is none of the batch's: all of it counts as failed.
        return list(items)
    first = min((place for place, (name, of_stream) in enumerate(names) if name in failed and of_stream), default=len(items))
    return [item for place, (item, (name, _)) in enumerate(zip(items, names, strict=True)) if name in failed or place >= first]


def _identity(item: Mapping[str, Any]) -> tuple[str | None, bool]:
    """Returns by which name an item is reported, and whether it is of a stream."""
    for service, key in (("kinesis", "sequenceNumber"), ("dynamodb", "SequenceNumber")):
        if service in item:
            return item[service].get(key), True
    return item.get("messageId"), False
