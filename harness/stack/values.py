"""What a template's parameters and conditions are worth, as far as it can be told before CloudFormation evaluates them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from harness.stack.template import value_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_PSEUDO = {"AWS::Region": "us-east-1", "AWS::Partition": "aws", "AWS::URLSuffix": "amazonaws.com"}
_NAME = re.compile(r"\$\{([^}!]+)\}")
_REFERENCE = re.compile(r"\$\{([A-Za-z0-9]+)[.}]")


def parameter_values(template: Mapping[str, Any], parameters: Mapping[str, str], account: str) -> dict[str, Any]:
    """Returns the values of all parameters of a template, and of the pseudo parameters."""
    defaults = {key: declared.get("Default") for key, declared in (template.get("Parameters") or {}).items()}
    return {**_PSEUDO, "AWS::AccountId": account, **defaults, **parameters}


def references(value: Any) -> Iterator[str]:
    """Yields the logical ids that Ref, Fn::GetAtt and Fn::Sub name."""
    if isinstance(value, list):
        for one in value:
            yield from references(one)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key == "Ref" and isinstance(inner, str) and len(value) == 1:
                yield inner
            elif key == "Fn::GetAtt":
                yield str(inner[0]) if isinstance(inner, list) and inner else str(inner).partition(".")[0]
            elif key == "Fn::Sub":
                text, own = (
                    (inner[0], inner[1])
                    if isinstance(inner, list) and len(inner) == 2 and isinstance(inner[1], dict)
                    else (inner, {})
                )
                yield from (name for name in _REFERENCE.findall(str(text)) if name not in own)
                yield from references(own)
            else:
                yield from references(inner)


def text_of(value: Any, values: Mapping[str, Any]) -> str | None:
    """Returns the text of a literal, a Ref, a Fn::Sub or a Fn::Join; None where only CloudFormation can tell it."""
    value = value_of(value, values)
    match value:
        case str() | int() | float():
            return str(value)
        case {"Fn::Sub": str() as text}:
            return _substituted(text, values)
        case {"Fn::Sub": [str() as text, dict() as own]}:
            return _substituted(text, {**values, **{name: text_of(inner, values) for name, inner in own.items()}})
        case {"Fn::Join": [str() as separator, list() as parts]}:
            texts = [text_of(part, values) for part in parts]
            return separator.join(map(str, texts)) if None not in texts else None
        case _:
            return None


def _substituted(text: str, values: Mapping[str, Any]) -> str | None:
    if any(values.get(name) is None for name in _NAME.findall(text)):
        return None
    return _NAME.sub(lambda match: str(values[match[1]]), text)


def holds(template: Mapping[str, Any], name: Any, values: Mapping[str, Any]) -> bool | None:
    """Returns whether a condition of the template holds; None where only CloudFormation can tell."""
    conditions = template.get("Conditions") or {}

    def of(value: Any, depth: int = 0) -> bool | None:
        if depth > len(conditions) + 20:
            return None
        match value:
            case {"Condition": str() as other}:
                return of(conditions.get(other), depth + 1)
            case {"Fn::Equals": [one, two]}:
                texts = text_of(one, values), text_of(two, values)
                return None if None in texts else texts[0] == texts[1]
            case {"Fn::Not": [inner]}:
                found = of(inner, depth + 1)
                return None if found is None else not found
            case {"Fn::And": list() as several}:
                return _combined([of(one, depth + 1) for one in several], decides=False)
            case {"Fn::Or": list() as several}:
                return _combined([of(one, depth + 1) for one in several], decides=True)
            case _:
                return None

    return of(conditions.get(name))


def _combined(values: list[bool | None], *, decides: bool) -> bool | None:
    """Returns the value of an Or, where True decides, or of an And, where False does."""
    if decides in values:
        return decides
    return None if None in values else not decides
