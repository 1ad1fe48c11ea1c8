"""What LocalStack's notifications lack: the order of the events of a key, and which configurations S3 refuses.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html and …/notification-how-to-filtering.html
"""

from __future__ import annotations

import itertools
import json
import time
from typing import TYPE_CHECKING, Any

from localstack.aws.api.s3 import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_AMBIGUOUS = "Configuration is ambiguously defined. Cannot have overlapping suffixes in two rules if the prefixes are overlapping for the same event type."
_count = itertools.count()


def next_sequencer() -> str:
    """Returns a text that is greater, as text, than all before."""
    return f"{time.time_ns():016X}{next(_count) & 0xFFFF:04X}"


def corrected(record: Any, sequencer: str) -> Any:
    """Returns a record of a notification, or an entry of EventBridge, with the sequencer of its event, where it has one, and with the reason as S3 gives it."""
    if "Detail" in record:
        detail = json.loads(record["Detail"])
        if "reason" in detail:
            detail["reason"] = detail["reason"].rpartition(":")[2]
        if "sequencer" in detail["object"]:
            detail["object"]["sequencer"] = sequencer
        return {**record, "Detail": json.dumps(detail)}
    for one in record["Records"]:
        if "sequencer" in one["s3"]["object"]:
            one["s3"]["object"]["sequencer"] = sequencer
    return record


def verify(configuration: Mapping[str, Any]) -> None:
    """Raises InvalidArgument where two configurations would both be told of an event."""
    for one, other in itertools.combinations(_rules(configuration), 2):
        if all(map(_overlap, one, other)):
            raise InvalidArgument(_AMBIGUOUS)


def _rules(configuration: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """Yields event types, prefix and suffix (from its end) of each configuration."""
    for kind in ("QueueConfigurations", "TopicConfigurations", "LambdaFunctionConfigurations"):
        for one in configuration.get(kind) or ():
            rules = ((one.get("Filter") or {}).get("Key") or {}).get("FilterRules") or ()
            named = {str(rule.get("Name")).lower(): str(rule.get("Value") or "") for rule in rules}
            yield tuple(one["Events"]), named.get("prefix", ""), named.get("suffix", "")[::-1]


def _overlap(one: Any, other: Any) -> bool:
    if isinstance(one, str):
        return one.startswith(other) or bool(other.startswith(one))
    return any(_overlap(a.rstrip("*"), b.rstrip("*")) if "*" in a + b else a == b for a in one for b in other)
