"""SAM and CloudFormation templates as plain data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from harness.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


class _Loader(yaml.SafeLoader):
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
    try:
        document = yaml.load(path.read_text(), Loader=_Loader)  # noqa: S506 - a SafeLoader
    except OSError as error:
        message = f"template {path}: {error.strerror}"
        raise UsageError(message) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        message = f"template {path} is not YAML: {error}"
        raise UsageError(message) from error
    if not isinstance(document, dict) or not isinstance(document.get("Resources"), dict):
        message = f"template {path} has no Resources: expected a SAM or CloudFormation template"
        raise UsageError(message)
    return document
