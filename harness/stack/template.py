"""SAM and CloudFormation templates as plain data, with the local files that they include in place."""

from __future__ import annotations

import contextlib
import functools
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

import yaml

from harness.documents import LOADER, line_of, read_yaml
from harness.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

# AWS takes 500 resources and 1 MB.
_MOST_NODES = 100_000
_DEEPEST = 10


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


@dataclass(frozen=True, slots=True)
class Template:
    """A template that was read: its file, its plain data, and the YAML node that knows its lines."""

    path: Path
    document: dict[str, Any]
    node: yaml.Node | None

    @property
    def resources(self) -> dict[str, dict[str, Any]]:
        """Returns the resources, without the macros that stand among them."""
        return resources_of(self.document)

    def line(self, *place: str | int) -> int:
        """Returns the line of a place, such as ("Resources", LOGICAL_ID, "Type")."""
        return line_of(self.node, list(place))


def load_template(path: Path) -> dict[str, Any]:
    """Reads a template. Raises UsageError with the place for what cannot be read or is no template."""
    return read_template(path).document


def read_template(path: Path) -> Template:
    """Returns what `load_template` does, with its lines."""
    node, document = _as_written(path, _edition(path))
    # `_included` makes the document anew, so that what is kept stays as it is.
    document = _included(document, path, ())
    if not isinstance(document, dict) or not isinstance(document.get("Resources"), dict):
        message = f"template {path} has no Resources: expected a SAM or CloudFormation template"
        raise UsageError(message)
    if (wrong := _mistyped(document)) is not None:
        raise UsageError(f"template {path}: {wrong}")
    return Template(path, document, node)


def _edition(path: Path) -> tuple[int, ...]:
    with contextlib.suppress(OSError):
        found = path.stat()
        return found.st_ino, found.st_size, found.st_mtime_ns
    return ()


@functools.lru_cache(maxsize=16)
def _as_written(path: Path, _edition: tuple[int, ...]) -> tuple[yaml.Node | None, Any]:
    """Returns what `read_yaml` does of this edition of a template: a search reads the same one for each of its runs."""
    return read_yaml(path, "template", loader=_Loader, nodes=_MOST_NODES)


def read_document(path: Path, what: str) -> Any:
    """Returns the plain data of a JSON or YAML file that a template names, such as an OpenAPI document."""
    return read_yaml(path, what, loader=_Loader, nodes=_MOST_NODES)[1]


def is_local(location: Any) -> TypeGuard[str]:
    """Returns whether what a template names is a path relative to it: neither a URL nor something that CloudFormation computes."""
    return isinstance(location, str) and "://" not in location and not location.startswith("arn:")


def _included(value: Any, path: Path, within: tuple[Path, ...]) -> Any:
    """Returns the data with each AWS::Include of a local file replaced by what the file has.

    Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/transform-aws-include.html"""
    if isinstance(value, list):
        return [_included(inner, path, within) for inner in value]
    if not isinstance(value, dict):
        return value
    found = {name: _included(inner, path, within) for name, inner in value.items()}
    for name in ("Fn::Transform", "Transform"):
        macro = found.get(name)
        if not isinstance(macro, dict) or macro.get("Name") != "AWS::Include":
            continue
        location = (macro.get("Parameters") or {}).get("Location")
        if not is_local(location):
            continue
        file = path.parent / str(location)
        if file in within or len(within) > _DEEPEST:
            raise UsageError(f"template {path}: AWS::Include of {location} includes itself")
        try:
            content = read_document(file, f"AWS::Include of {path}:")
        except RecursionError as error:
            raise UsageError(f"template {path}: AWS::Include of {location} is nested too deeply") from error
        if not isinstance(content, dict):
            raise UsageError(f"template {path}: AWS::Include of {location}: expected a mapping")
        del found[name]
        found = _included(content, path, (*within, file)) | found
    return found


def resources_of(template: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Returns the resources of a template, without the macros that stand among them."""
    return {name: resource for name, resource in template["Resources"].items() if not str(name).startswith("Fn::")}


def value_of(value: Any, values: Mapping[str, Any]) -> Any:
    """Returns the value of a property that may be a reference to a parameter; `values` are those of the parameters."""
    return values.get(value["Ref"]) if isinstance(value, dict) and isinstance(value.get("Ref"), str) else value


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
    if not isinstance(resource.get("Metadata") or {}, dict):
        return f"Resources.{name}.Metadata: expected a mapping"
    return None


def root_of(template: Path) -> Path:
    """Returns the folder that holds the template and the code that it names. Raises UsageError where that is the root of the file system."""
    document = load_template(template)
    resources = [
        (document.get("Globals") or {}).get("Function"),
        *(resource.get("Properties") for resource in resources_of(document).values()),
    ]
    uris = ("CodeUri", "ContentUri", "DefinitionUri")
    named = [value for properties in resources for key in uris if isinstance(value := (properties or {}).get(key), str)]
    paths = [template.parent, *((template.parent / path).resolve() for path in named if "://" not in path)]
    root = Path(os.path.commonpath(paths))
    if root == root.parent:
        raise UsageError(
            f"template {template}: it names files that have only the root of the file system in common: nothing is copied"
        )
    return root
