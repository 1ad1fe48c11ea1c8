"""Fields of models that are written in Python: pydantic's BaseModel and TypedDict. The code is read, not run."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.draft.checks import WRAPPERS, Checks
from harness.draft.guess import guessed, text_field
from harness.draft.patterns import examples

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_BASES = {"BaseModel", "TypedDict"}
_ID = re.compile(r"^id$|_id$|Id$")
_SEQUENCES = {"list", "List", "Sequence", "tuple", "Tuple", "set", "Set", "frozenset", "conlist"}
_WHOLE = {"int", "PositiveInt", "NonNegativeInt", "conint", "StrictInt"}
_NUMBERS = {"float", "Decimal", "PositiveFloat", "NonNegativeFloat", "confloat", "condecimal", "StrictFloat"}
_PLAIN: dict[str, dict[str, Any]] = {
    "datetime": {"type": "datetime"}, "AwareDatetime": {"type": "datetime"}, "PastDatetime": {"type": "datetime"}, "date": {"type": "date"},
    "UUID": {"type": "uuid"}, "UUID4": {"type": "uuid"}, "EmailStr": {"type": "email"}, "bool": {"type": "choice", "of": [True, False]},
    "StrictBool": {"type": "choice", "of": [True, False]}, "dict": {"type": "choice", "of": [{}]}, "Dict": {"type": "choice", "of": [{}]},
    "Mapping": {"type": "choice", "of": [{}]}, "Any": {"type": "choice", "of": [{}]}, "HttpUrl": {"type": "choice", "of": ["https://example.org/"]},
}  # fmt: skip


@dataclass(frozen=True)
class Models:
    """The models of some modules, the names that stand for other types, and the members of enumerations."""

    classes: Mapping[str, ast.ClassDef]
    aliases: Mapping[str, ast.expr]
    members: Mapping[str, list[Any]]
    checks: Checks

    def record(self) -> str | None:
        """Returns the model that is most like a record: it has an id, and no other model has it within; where there are several, the one with the most fields."""
        inner = {
            name
            for node in self.classes.values()
            for name in self.classes
            if name != node.name and re.search(rf"\b{name}\b", ast.unparse(node))
        }
        outer = [name for name in self.classes if name not in inner] or list(self.classes)
        with_id = [name for name in outer if any(_ID.search(field) for field, _, _ in _annotated(self.classes[name]))]
        return max(with_id or outer, key=lambda name: len(list(_annotated(self.classes[name]))), default=None)

    def fields(self, name: str, within: Sequence[str] = ()) -> dict[str, dict[str, Any]]:
        """Returns the fields of a model, as a scenario has them."""
        asked = self.checks.of_class(self.classes[name])
        return {
            field: asked.get(field) or self._field(field, annotation, _constraints(default), (*within, name))
            for field, annotation, default in _annotated(self.classes[name])
        }

    def _field(self, name: str, annotation: ast.expr, limits: Mapping[str, Any], within: Sequence[str]) -> dict[str, Any]:
        annotation = _without_none(annotation)
        if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
            annotation = ast.parse(annotation.value, mode="eval").body
        head, arguments = _head(annotation)
        if head in {"Annotated", "Required", "NotRequired", "Final"} and arguments:
            return self._qualified(name, arguments, limits, within)
        if head == "Literal":
            return {"type": "choice", "of": [one.value for one in arguments if isinstance(one, ast.Constant)]}
        if head in self.aliases and head not in within:
            return self._field(name, self.aliases[head], limits, (*within, head))
        if head in self.members:
            return {"type": "choice", "of": self.members[head]}
        if head in self.classes and head not in within:
            return {"type": "nested", "fields": self.fields(head, within)}
        if head in _SEQUENCES and arguments:
            return {"type": "list", "of": self._field(name, arguments[0], {}, within), "min": 1, "max": 3}
        return _plain(name, head, {**limits, **_constraints(annotation)})

    def _qualified(
        self, name: str, arguments: Sequence[ast.expr], limits: Mapping[str, Any], within: Sequence[str]
    ) -> dict[str, Any]:
        """Returns the field of Annotated[…]: what a validator asks, else what the type says within its bounds."""
        inner = dict(limits)
        for one in arguments[1:]:
            if isinstance(one, ast.Call) and _head(one)[0] in WRAPPERS and one.args:
                asked = self.checks.functions.get(_head(one.args[0])[0])
                if asked is not None:
                    return asked
            inner |= _constraints(one)
        return self._field(name, arguments[0], inner, within)


def models_of(trees: Iterable[ast.Module]) -> Models:
    """Returns the models that some modules have."""
    classes, aliases, members = dict[str, ast.ClassDef](), dict[str, ast.expr](), dict[str, list[Any]]()
    modules = list(trees)
    for node in (one for tree in modules for one in tree.body):
        if isinstance(node, ast.ClassDef):
            bases = {_head(base)[0] for base in node.bases}
            if bases & _BASES or bases & classes.keys():
                classes[node.name] = node
            elif any(base.endswith("Enum") for base in bases):
                values = [
                    one.value.value for one in node.body if isinstance(one, ast.Assign) and isinstance(one.value, ast.Constant)
                ]
                if values:
                    members[node.name] = values
        elif (
            isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and isinstance(node.value, ast.Subscript | ast.Call)
        ):
            name = node.targets[0].id
            made = _called(name, node.value)
            if made is not None:
                classes[name] = made
            else:
                aliases[name] = node.value
    return Models(classes, aliases, members, Checks(modules))


def _called(name: str, node: ast.expr) -> ast.ClassDef | None:
    """Returns TypedDict("Name", {"a field": str}) as the class that it makes."""
    if not (
        isinstance(node, ast.Call) and _head(node)[0] == "TypedDict" and len(node.args) > 1 and isinstance(node.args[1], ast.Dict)
    ):
        return None
    body: list[ast.stmt] = [
        ast.AnnAssign(ast.Name(key.value), annotation, None, simple=1)
        for key, annotation in zip(node.args[1].keys, node.args[1].values, strict=True)
        if isinstance(key, ast.Constant) and isinstance(key.value, str)
    ]
    return ast.ClassDef(name, [], [], body or [ast.Pass()], [])


def _annotated(node: ast.ClassDef) -> Iterator[tuple[str, ast.expr, ast.expr | None]]:
    """Yields the fields of a model: the name that a document has, the annotation and the default."""
    for one in node.body:
        if (
            isinstance(one, ast.AnnAssign)
            and isinstance(one.target, ast.Name)
            and not one.target.id.startswith(("_", "model_config"))
        ):
            alias = _constraints(one.value).get("alias")
            yield str(alias or one.target.id), one.annotation, one.value


def _head(node: ast.expr) -> tuple[str, list[ast.expr]]:
    """Returns the name of a type, and what it is subscripted with."""
    if isinstance(node, ast.Subscript):
        inner = node.slice
        return _head(node.value)[0], list(inner.elts) if isinstance(inner, ast.Tuple) else [inner]
    if isinstance(node, ast.Call):
        return _head(node.func)[0], list(node.args)
    return (node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""), []


def _without_none(node: ast.expr) -> ast.expr:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _without_none(node.right if isinstance(node.left, ast.Constant) and node.left.value is None else node.left)
    head, arguments = _head(node)
    if head in {"Optional", "Union"} and arguments:
        return _without_none(arguments[0])
    return node


def _constraints(node: ast.expr | None) -> dict[str, Any]:
    """Returns the keywords of Field(…), StringConstraints(…) or conint(…) that are constants."""
    if not isinstance(node, ast.Call):
        return {}
    return {one.arg: one.value.value for one in node.keywords if one.arg and isinstance(one.value, ast.Constant)}


def _plain(name: str, head: str, limits: Mapping[str, Any]) -> dict[str, Any]:
    low, high = limits.get("ge", limits.get("gt")), limits.get("le", limits.get("lt"))
    if head in _WHOLE:
        first = (1 if low is None else int(low)) + ("gt" in limits)
        return {"type": "int", "min": first, "max": first + 49 if high is None else int(high) - ("lt" in limits)}
    if head in _NUMBERS:
        first = (1 if low is None else low) + ("gt" in limits)
        return {"type": "decimal", "min": first, "max": first + 499 if high is None else high, "places": 2}
    if head in _PLAIN:
        return _PLAIN[head]
    pattern = limits.get("pattern", limits.get("regex"))
    if isinstance(pattern, str) and (texts := examples(pattern)):
        return {"type": "choice", "of": texts}
    found = guessed(name)
    return text_field(found, limits.get("max_length"))
