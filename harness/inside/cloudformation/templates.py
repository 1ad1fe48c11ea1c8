"""What CloudFormation finds wrong in a template before it deploys anything, and LocalStack finds out half way, or never.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/troubleshooting.html
"""

from __future__ import annotations

import re
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any

from localstack.services.cloudformation.engine.validations import ValidationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_IN_TEXT = re.compile(r"\$\{([A-Za-z0-9:]+)[.}]")


def verify(template: Any) -> None:
    """Raises ValidationError for a template without resources, with names that are not there, or with a circle. One with a transform, which may make
    what it names, is only looked at for its resources."""
    if not isinstance(template, dict):
        raise ValidationError("Template format error: unsupported structure.")
    resources = template.get("Resources")
    if not isinstance(resources, dict) or not resources:
        raise ValidationError("Template format error: At least one Resources member must be defined.")
    if "Transform" in template or any(str(name).startswith("Fn::") for name in resources):
        return
    known = {*resources, *(template.get("Parameters") or {})}
    missing = sorted({name for name in _names(template.get("Outputs") or {}) if name not in known and "::" not in name})
    if missing:
        raise ValidationError(
            f"Template format error: Unresolved resource dependencies [{', '.join(missing)}] in the Outputs block of the template"
        )
    conditions = template.get("Conditions") or {}
    for resource in resources.values():
        if isinstance(resource, dict) and resource.get("Condition") not in {None, *conditions}:
            raise ValidationError(
                f"Template format error: Unresolved condition dependency {resource['Condition']} in the Resources block of the template"
            )
    _verify_order(resources)


def _verify_order(resources: Mapping[str, Any]) -> None:
    needs = {name: {other for other in _names(resource) if other in resources} for name, resource in resources.items()}
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        circle = sorted(set(error.args[1]))
        raise ValidationError(f"Circular dependency between resources: [{', '.join(circle)}]") from error


def _names(value: Any) -> Iterator[str]:
    """Yields what Ref, GetAtt, Sub and DependsOn name."""
    if isinstance(value, list):
        for one in value:
            yield from _names(one)
    if not isinstance(value, dict):
        return
    for key, inner in value.items():
        if key == "Ref" and isinstance(inner, str):
            yield inner
        elif key == "Fn::GetAtt":
            yield str(inner[0]) if isinstance(inner, list) and inner else str(inner).partition(".")[0]
        elif key == "DependsOn":
            yield from (inner if isinstance(inner, list) else [inner])
        elif key == "Fn::Sub":
            text, own = (inner[0], inner[1]) if isinstance(inner, list) and len(inner) == 2 else (inner, {})
            yield from (name for name in _IN_TEXT.findall(str(text)) if name not in own)
            yield from _names(own)
        elif key != "Metadata":
            yield from _names(inner)
