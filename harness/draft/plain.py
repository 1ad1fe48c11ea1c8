"""A template as it is with these parameters: without its conditions, and without what is nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from harness.stack.values import holds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.stack.template import Template

_NOTHING = {"Ref": "AWS::NoValue"}


def plain(template: Template, values: Mapping[str, Any]) -> Template:
    """Returns the template with the branches of Fn::If that these values choose, and without resources whose condition is false."""
    document = template.document
    resources = {
        str(name): _chosen(one, document, values)
        for name, one in document["Resources"].items()
        if not (isinstance(one, dict) and "Condition" in one and holds(document, one["Condition"], values) is False)
    }
    return replace(template, document={**document, "Resources": resources})


def _chosen(value: Any, document: Mapping[str, Any], values: Mapping[str, Any]) -> Any:
    match value:
        case {"Fn::If": [str() as name, first, second]}:
            return _chosen(second if holds(document, name, values) is False else first, document, values)
        case dict():
            inner = {key: _chosen(one, document, values) for key, one in value.items()}
            return {key: one for key, one in inner.items() if one is not None and one != _NOTHING}
        case list():
            return [one for one in (_chosen(one, document, values) for one in value) if one is not None and one != _NOTHING]
    return value
