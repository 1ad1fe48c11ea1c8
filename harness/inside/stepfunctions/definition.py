"""Fields of a Map state that LocalStack's grammar does not know: they travel in the state's Comment.

ItemBatcher, the WriterConfig of a ResultWriter, express children, and input types other than CSV and JSON make a state machine that LocalStack
refuses. Before its parser sees a definition they are moved into the Comment of their state, from which the state's object takes them again.
"""

from __future__ import annotations

import base64
import json
import re
from typing import Any

_MARK = re.compile(r"\[\[pipeproof:([A-Za-z0-9+/=]*)\]\]$")
_KNOWN_INPUTS = {"CSV", "JSON"}


def prepared(definition: str) -> str:
    """Returns the definition as LocalStack's parser takes it. What is no JSON object is returned as it is, for the parser to refuse."""
    try:
        document = json.loads(definition)
    except ValueError:
        return definition
    return json.dumps(document) if isinstance(document, dict) and _prepare(document) else definition


def _prepare(machine: Any) -> bool:
    """Moves the fields of all Map states within a machine. Returns whether there were any."""
    changed = False
    states = machine.get("States") if isinstance(machine, dict) else None
    for state in states.values() if isinstance(states, dict) else ():
        if not isinstance(state, dict):
            continue
        for inner in (state.get("ItemProcessor"), state.get("Iterator"), *_branches(state)):
            changed |= _prepare(inner)
        if state.get("Type") == "Map" and (extras := _taken(state)):
            encoded = base64.b64encode(json.dumps(extras).encode()).decode()
            state["Comment"] = f"{state.get('Comment', '')}[[pipeproof:{encoded}]]"
            changed = True
    return changed


def _branches(state: dict[str, Any]) -> list[Any]:
    branches = state.get("Branches")
    return branches if isinstance(branches, list) else []


def _taken(state: dict[str, Any]) -> dict[str, Any]:
    extras: dict[str, Any] = {}
    if isinstance(percentage := state.get("ToleratedFailurePercentage"), int):
        # The grammar wants a fraction; the empty entry only says that something has changed.
        state["ToleratedFailurePercentage"] = float(percentage)
        extras["ToleratedFailurePercentage"] = percentage
    if "ItemBatcher" in state:
        extras["ItemBatcher"] = state.pop("ItemBatcher")
    processor = state.get("ItemProcessor")
    config = processor.get("ProcessorConfig") if isinstance(processor, dict) else None
    if isinstance(config, dict) and config.get("ExecutionType") == "EXPRESS":
        extras["ExecutionType"] = config["ExecutionType"]
        config["ExecutionType"] = "STANDARD"
    writer = state.get("ResultWriter")
    if isinstance(writer, dict) and "WriterConfig" in writer:
        extras["WriterConfig"] = writer.pop("WriterConfig")
        if not writer:
            del state["ResultWriter"]
    reader = state.get("ItemReader")
    config = reader.get("ReaderConfig") if isinstance(reader, dict) else None
    if isinstance(config, dict) and config.get("InputType", "JSON") not in _KNOWN_INPUTS:
        extras["InputType"] = config["InputType"]
        config["InputType"] = "JSON"
    if isinstance(config, dict) and "CSVDelimiter" in config:
        extras["CSVDelimiter"] = config.pop("CSVDelimiter")
    return extras


def extras_of(comment: str | None) -> dict[str, Any]:
    """Returns the fields that `prepared` has put into a Comment."""
    found = _MARK.search(comment or "")
    extras: dict[str, Any] = json.loads(base64.b64decode(found[1])) if found else {}
    return extras
