"""The Lambda functions of a template, with what SAM's Globals say of all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.stack.template import value_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harness.stack.template import Template

TYPES = ("AWS::Serverless::Function", "AWS::Lambda::Function")


@dataclass(frozen=True, slots=True)
class Function:
    """A function of a template. `runtime` is None where only CloudFormation can tell it; `properties` have those of Globals too."""

    logical_id: str
    runtime: str | None
    is_image: bool
    properties: Mapping[str, Any]
    line: int


def functions(template: Template, values: Mapping[str, Any]) -> Iterator[Function]:
    """Yields the functions of a template. `values` are those of its parameters."""
    common = (template.document.get("Globals") or {}).get("Function") or {}
    for logical_id, resource in template.resources.items():
        if resource["Type"] not in TYPES:
            continue
        properties = (common if resource["Type"] == TYPES[0] else {}) | (resource.get("Properties") or {})
        if resource["Type"] == TYPES[0] and (code := code_of(properties)) is not None:
            properties["CodeUri"] = code
        runtime = value_of(properties.get("Runtime"), values)
        yield Function(
            logical_id,
            runtime if isinstance(runtime, str) else None,
            value_of(properties.get("PackageType"), values) == "Image",
            properties,
            template.line("Resources", logical_id, "Properties", "Runtime"),
        )


def code_of(properties: Mapping[str, Any]) -> Any:
    """Returns the CodeUri of a SAM function. Without one it is the template's folder, as for `sam build`. Returns None for inline code and images."""
    if "InlineCode" in properties or "ImageUri" in properties or properties.get("PackageType") == "Image":
        return None
    return properties.get("CodeUri", ".")
