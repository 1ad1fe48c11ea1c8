"""Tables that a pipeline only reads: what it looks up there, the load puts there."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Any

from harness.draft.graph import STORES
from harness.draft.infer import NAME

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from harness.draft.graph import Graph
    from harness.stack.template import Template

_READ = re.compile(r"\bget_item\b|\bbatch_get_item\b|\[['\"]Items?['\"]\]|\.get\(['\"]Items?['\"]|\bResponses\b")


def lookup_tables(template: Template, graph: Graph) -> Iterator[tuple[str, list[str]]]:
    """Yields the tables that the stack reads and never writes, with the names of their keys."""
    for logical_id, resource in template.resources.items():
        is_fed = any(entry.source == logical_id for entry in graph.entries)
        if STORES.get(resource["Type"]) == "table" and logical_id in graph.read and logical_id not in graph.written and not is_fed:
            yield logical_id, keys_of(resource)


def keys_of(resource: Mapping[str, Any]) -> list[str]:
    """Returns the names of a table's key, the partition key first; none where that is no text, or one of them can be no field."""
    properties = resource.get("Properties") or {}
    if resource["Type"] == "AWS::Serverless::SimpleTable":
        key = properties.get("PrimaryKey") or {}
        names, is_text = [key.get("Name", "id")], key.get("Type", "String") == "String"
    else:
        types = {str(one.get("AttributeName")): one.get("AttributeType") for one in properties.get("AttributeDefinitions") or ()}
        parts = sorted(properties.get("KeySchema") or (), key=lambda part: str(part.get("KeyType")))
        names = [part.get("AttributeName") for part in parts]
        is_text = bool(names) and types.get(str(names[0])) == "S"
    return names if is_text and all(isinstance(name, str) and NAME.fullmatch(name) for name in names) else []


def attributes(trees: Iterable[ast.Module]) -> list[str]:
    """Returns the names that code reads of an item: by themselves, or one after the other from a constant."""
    found: dict[str, None] = {}
    modules = list(trees)
    constants = {name: values for tree in modules for name, values in _constants(tree)}
    for tree in modules:
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                found |= dict.fromkeys(_of_items(node))
                found |= dict.fromkeys(name for one in _looked_through(node) for name in constants.get(one, ()))
    return [name for name in found if NAME.fullmatch(name)]


def _constants(tree: ast.Module) -> Iterator[tuple[str, list[str]]]:
    """Yields the module's constants that are texts in a row."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and isinstance(node.value, ast.Tuple | ast.List):
            texts = [one.value for one in node.value.elts if isinstance(one, ast.Constant) and isinstance(one.value, str)]
            if texts and len(texts) == len(node.value.elts):
                yield node.targets[0].id, texts


def _looked_through(function: ast.AST) -> Iterator[str]:
    """Yields the constants whose names are read of something: `found[name] for name in NAMES`."""
    for node in ast.walk(function):
        loops: list[ast.For | ast.comprehension] = [node] if isinstance(node, ast.For) else []
        if isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp):
            loops += node.generators
        for loop in loops:
            if not (isinstance(loop.iter, ast.Name) and isinstance(loop.target, ast.Name)):
                continue
            name = loop.target.id
            if any(
                isinstance(one, ast.Subscript) and isinstance(one.slice, ast.Name) and one.slice.id == name
                for one in ast.walk(node)
            ):
                yield loop.iter.id


def _of_items(function: ast.AST) -> Iterator[str]:
    """Yields the keys that a function reads of what it has got from a table."""
    assigned = [node for node in ast.walk(function) if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)]
    items = {
        node.targets[0].id for node in assigned if isinstance(node.targets[0], ast.Name) and _READ.search(ast.unparse(node.value))
    }
    for node in ast.walk(function):
        match node:
            case ast.Subscript(value=ast.Name(id=name), slice=ast.Constant(value=str() as key), ctx=ast.Load()):
                pass
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="get"), args=[ast.Constant(value=str() as key), *_]):
                pass
            case _:
                continue
        if name in items and key not in {"Item", "Items", "Responses", "UnprocessedKeys", "ResponseMetadata", "Count"}:
            yield key
