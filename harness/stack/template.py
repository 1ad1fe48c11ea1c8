"""SAM and CloudFormation templates as plain data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from harness.documents import LOADER, read_yaml
from harness.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

# AWS takes 500 resources and 1 MB.
_MOST_NODES = 100_000


class _Loader(LOADER):  # type: ignore[misc]
    """YAML with CloudFormation's short forms: `!Ref x` reads as {"Ref": "x"}, `!GetAtt a.b` as {"Fn::GetAtt": ["a", "b"]}."""


def _intrinsic(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    name = suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}"
    return {name: value}


_Loader.add_multi_constructor("!", _intrinsic)
# A date is a string in CloudFormation: AWSTemplateFormatVersion and every policy's Version have its form.
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def load_template(path: Path) -> dict[str, Any]:
    """Reads a template. Raises UsageError with the place for what cannot be read or is no template."""
    return read_template(path)[1]


def read_template(path: Path) -> tuple[yaml.Node | None, dict[str, Any]]:
    """Returns the node of a template, which knows its lines, and what `load_template` does."""
    node, document = read_yaml(path, "template", loader=_Loader, nodes=_MOST_NODES)
    if not isinstance(document, dict) or not isinstance(document.get("Resources"), dict):
        message = f"template {path} has no Resources: expected a SAM or CloudFormation template"
        raise UsageError(message)
    if (wrong := _mistyped(document)) is not None:
        raise UsageError(f"template {path}: {wrong}")
    return node, document


def resources_of(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Returns the resources of a template, without the macros that stand among them."""
    return {name: resource for name, resource in template["Resources"].items() if not str(name).startswith("Fn::")}


def _mistyped(template: dict[str, Any]) -> str | None:
    """Returns the first place at which a template has another type than CloudFormation expects there; None where it has none."""
    for place in ("Parameters", "Globals", "Conditions", "Mappings", "Outputs"):
        if not isinstance(template.get(place) or {}, dict):
            return f"{place}: expected a mapping"
    if not isinstance((template.get("Globals") or {}).get("Function") or {}, dict):
        return "Globals.Function: expected a mapping"
    for name, value in (template.get("Parameters") or {}).items():
        if not isinstance(value, dict):
            return f"Parameters.{name}: expected a mapping"
    return next(filter(None, (_wrong(name, value) for name, value in template["Resources"].items())), None)


def _wrong(name: Any, resource: Any) -> str | None:
    if str(name).startswith("Fn::"):
        # Of a macro: CloudFormation puts resources in its place.
        return None
    if not isinstance(resource, dict):
        return f"Resources.{name}: expected a mapping"
    if not isinstance(resource.get("Type"), str):
        return f"Resources.{name}.Type: expected text, such as AWS::S3::Bucket"
    if not isinstance(resource.get("Properties") or {}, dict):
        return f"Resources.{name}.Properties: expected a mapping"
    return None
