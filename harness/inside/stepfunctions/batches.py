"""ItemBatcher: the items of a Distributed Map in batches, each the input of one child.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itembatcher.html
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from localstack.services.stepfunctions.asl.utils.json_path import extract_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Batch:
    """Some of the items, the index of the first of them, and what the batches share (None where nothing is)."""

    items: list[Any]
    first: int
    shared: Any


def batches(items: Sequence[Any], batcher: Mapping[str, Any], state_input: Any) -> list[Batch]:
    """Returns the batches that an ItemBatcher makes: of at most MaxItemsPerBatch items and MaxInputBytesPerBatch bytes. Both may be paths into the
    state's input."""
    most = _bound(batcher, "MaxItemsPerBatch", state_input)
    most_bytes = _bound(batcher, "MaxInputBytesPerBatch", state_input)
    shared = _shared(batcher.get("BatchInput"), state_input)
    made: list[Batch] = []
    current: list[Any] = []
    size = 0
    for number, item in enumerate(items):
        of_item = len(json.dumps(item)) + 1
        if current and ((most and len(current) >= most) or (most_bytes and size + of_item > most_bytes)):
            made.append(Batch(current, number - len(current), shared))
            current, size = [], 0
        current.append(item)
        size += of_item
    if current:
        made.append(Batch(current, len(items) - len(current), shared))
    return made


def _bound(batcher: Mapping[str, Any], name: str, state_input: Any) -> int:
    if f"{name}Path" in batcher:
        return int(extract_json(batcher[f"{name}Path"], state_input))
    return int(batcher.get(name) or 0)


def _shared(template: Any, state_input: Any) -> Any:
    """Returns BatchInput with its paths (`"key.$": "$.path"`) replaced by what they find."""
    if isinstance(template, dict):
        return {
            key.removesuffix(".$"): extract_json(value, state_input) if key.endswith(".$") else _shared(value, state_input)
            for key, value in template.items()
        }
    return [_shared(member, state_input) for member in template] if isinstance(template, list) else template
