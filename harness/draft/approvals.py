"""A person who approves: the queue with the messages to them, and how their answer is given."""

from __future__ import annotations

import ast
import json
import re
from typing import TYPE_CHECKING, Any

from harness.draft.graph import STORES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from harness.draft.graph import Graph
    from harness.stack.template import Template

_WAITS = "waitForTaskToken"
_TO_A_PERSON = re.compile(r"approv(?!ed)|human|manual|callback|task_?token", re.IGNORECASE)
_TOKEN_OF_TASK = re.compile(r"""["']?(\w+)(?:\.\$)?["']?\s*:\s*["']?(?:\{%\s*)?\$(?:\$|states\.context)\.Task\.Token""")
_YES = re.compile(r"approv|accept|confirm", re.IGNORECASE)
_NO = re.compile(r"reject|den[yi]|declin|refus", re.IGNORECASE)
_TOKEN = re.compile(r"(^|task|my|approval)_?-?token$", re.IGNORECASE)


def waits_for_somebody(template: Template, definitions: Iterable[str]) -> bool:
    """Returns whether a state machine waits until its token comes back."""
    return any(_WAITS in text for text in (*definitions, str(template.document)))


def queues_to_a_person(template: Template, graph: Graph) -> list[str]:
    """Returns the queues whose names mean a person who approves, and that nothing in the stack reads."""
    return [
        logical_id
        for logical_id, resource in template.resources.items()
        if STORES.get(resource["Type"]) == "queue"
        and logical_id not in graph.consumed | graph.failures
        and _TO_A_PERSON.search(logical_id)
    ]


def approval(queue: str, definitions: Sequence[str], trees: Iterable[ast.Module]) -> dict[str, Any]:
    """Returns the actor who reads the queue: by the links of a message, if the code writes both, else by its token."""
    actor: dict[str, Any] = {"kind": "approve", "queue_url": f"${{resources.{queue}}}"}
    messages = [keys for tree in trees for keys in _messages(tree)]
    for keys in messages:
        yes, no = (next((key for key in keys if pattern.search(key)), None) for pattern in (_YES, _NO))
        if yes and no:
            return actor | {"links": {"approve": _expression(yes), "reject": _expression(no)}}
    of_code = (key for keys in messages for key in keys if _TOKEN.search(key))
    of_states = (match[1] for text in definitions for match in _TOKEN_OF_TASK.finditer(text))
    # A state machine sends a message itself, or has a function send it.
    is_own = any(f"sendMessage.{_WAITS}" in text for text in definitions)
    found = [*of_states, *of_code] if is_own else [*of_code, *of_states]
    return actor | {"token": _expression(next(iter(found), "taskToken"))}


def _expression(key: str) -> str:
    """Returns the JMESPath of a key."""
    return key if re.fullmatch(r"[A-Za-z_]\w*", key, re.ASCII) else json.dumps(key)


def _messages(tree: ast.Module) -> Iterator[list[str]]:
    """Yields the keys of the objects that code writes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            keys = [key.value for key in node.keys if isinstance(key, ast.Constant) and isinstance(key.value, str)]
            if keys:
                yield keys
