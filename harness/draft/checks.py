"""Reads validators in Python code, without running it: which pattern a value must match, or which form a time must have."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from harness.draft.patterns import examples

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_MATCHES = {"fullmatch", "match"}
_DECORATORS = {"field_validator", "validator"}
WRAPPERS = {"AfterValidator", "BeforeValidator", "PlainValidator", "WrapValidator"}
"""What pydantic calls a validator in an annotation."""


class Checks:
    """The validators of some modules. `functions` has by a validator's name the field that it accepts."""

    def __init__(self, trees: Iterable[ast.Module]) -> None:
        nodes = [node for tree in trees for node in ast.walk(tree)]
        patterns = {
            target.id: pattern
            for node in nodes
            if isinstance(node, ast.Assign) and (pattern := _pattern(node.value)) is not None
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        self._patterns = patterns
        self.functions = {node.name: found for node in nodes if isinstance(node, ast.FunctionDef) and (found := self._asked(node))}

    def of_class(self, node: ast.ClassDef) -> Mapping[str, dict[str, Any]]:
        """Returns the fields that the validators of a class accept, by name."""
        found: dict[str, dict[str, Any]] = {}
        for one in node.body:
            asked = self.functions.get(one.name) if isinstance(one, ast.FunctionDef) else None
            if asked is not None and isinstance(one, ast.FunctionDef):
                for decorator in one.decorator_list:
                    if isinstance(decorator, ast.Call) and _name(decorator.func) in _DECORATORS:
                        names = [argument.value for argument in decorator.args if isinstance(argument, ast.Constant)]
                        found |= {str(name): asked for name in names}
        return found

    def _asked(self, function: ast.FunctionDef) -> dict[str, Any]:
        for node in ast.walk(function):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            of, first = _name(node.func.value), node.args[0] if node.args else None
            match node.func.attr:
                case "fromisoformat":
                    return {"type": "date" if of == "date" else "datetime"}
                case "strptime" if len(node.args) > 1 and isinstance(form := node.args[1], ast.Constant):
                    return {"type": "datetime" if "%H" in str(form.value) else "date", "format": str(form.value)}
                case attr if attr in _MATCHES:
                    literal = first.value if of == "re" and isinstance(first, ast.Constant) else self._patterns.get(of)
                    if isinstance(literal, str) and (texts := examples(literal)):
                        return {"type": "choice", "of": texts}
        return {}


def _pattern(node: ast.expr) -> str | None:
    """Returns the literal of re.compile(…)."""
    if isinstance(node, ast.Call) and _name(node.func) == "compile" and node.args and isinstance(node.args[0], ast.Constant):
        value = node.args[0].value
        return value if isinstance(value, str) else None
    return None


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
