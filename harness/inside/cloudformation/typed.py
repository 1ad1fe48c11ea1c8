"""Properties as their types: a parameter is a text, and CloudFormation makes a number or a boolean of it where the resource's schema has one.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html
"""

from __future__ import annotations

import contextlib
from typing import Any


def typed(value: Any, schema: Any, root: Any) -> Any:
    """Returns the value with numbers and booleans in place of texts, where the schema says so. What cannot be one stays as it is: the resource's own
    checks name it. `root` has the schema's definitions."""
    schema = _resolved(schema, root)
    match value:
        case dict():
            known = schema.get("properties") or {}
            return {key: typed(item, known.get(key), root) for key, item in value.items()}
        case list():
            return [typed(item, schema.get("items"), root) for item in value]
        case str():
            return _of(value, schema.get("type"))
    return value


def _resolved(schema: Any, root: Any) -> dict[str, Any]:
    if not isinstance(schema, dict):
        return {}
    reference = schema.get("$ref")
    if not isinstance(reference, str):
        return schema
    for name in reference.removeprefix("#/").split("/"):
        root = root.get(name, {})
    return root if isinstance(root, dict) else {}


def _of(text: str, kind: Any) -> Any:
    with contextlib.suppress(ValueError):
        match kind:
            case "integer":
                return int(text)
            case "number":
                return int(text) if text.strip().lstrip("+-").isdecimal() else float(text)
            case "boolean" if text.lower() in {"true", "false"}:
                return text.lower() == "true"
    return text
