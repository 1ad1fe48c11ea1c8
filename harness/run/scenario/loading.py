"""Reads a scenario file: YAML, checked. What is wrong is told with its file, line and key, and what is allowed there."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from harness.errors import UsageError
from harness.run.scenario.scenario import Scenario

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic_core import ErrorDetails

# The keys that say which kind of a part it is.
_TAGS = ("kind", "to", "shape")


def load_scenario(path: Path) -> Scenario:
    """Reads and checks a scenario file. Raises UsageError that names file, line, key and what is allowed."""
    try:
        text = path.read_text(encoding="utf-8")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        document = yaml.safe_load(text)
    except OSError as error:
        message = f"scenario {path}: {error.strerror}"
        raise UsageError(message) from error
    except UnicodeDecodeError as error:
        message = f"scenario {path} is not UTF-8 text"
        raise UsageError(message) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        # A day that there is not, a number of thousands of digits, or brackets of thousands of levels.
        message = f"scenario {path} is not YAML: {error}"
        raise UsageError(message) from error
    if not isinstance(document, dict):
        message = f"scenario {path} is not a mapping: expected keys such as {', '.join(Scenario.model_fields)}"
        raise UsageError(message)
    try:
        scenario = Scenario.model_validate(document)
    except ValidationError as error:
        lines = [_explain(detail, node, path) for detail in error.errors(include_url=False)]
        raise UsageError("\n".join(lines)) from error
    template = (path.parent / scenario.stack.template).resolve()
    return scenario.model_copy(update={"stack": scenario.stack.model_copy(update={"template": template})})


def _explain(detail: ErrorDetails, node: yaml.Node | None, path: Path) -> str:
    # pydantic puts the tag of a union's member into the place; the file has no such key.
    place = detail["loc"]
    keys = [part for part in place if not _is_tag(part, place, node)]
    name = ".".join(str(key) for key in keys) or "the scenario"
    message = detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "extra_forbidden":
        allowed = list(_model_at(place[:-1]).model_fields)
        near = difflib.get_close_matches(str(place[-1]), allowed, n=1)
        message = f"unknown key; did you mean {near[0]}?" if near else "unknown key"
        message += f" Allowed here: {', '.join(allowed)}"
    return f"{path}:{_line(node, keys)}: {name}: {message}"


def _model_at(place: tuple[int | str, ...]) -> type[BaseModel]:
    """The part that stands at this place, which pydantic gives with the tag of each union's member that it has chosen."""
    models: list[type[BaseModel]] = [Scenario]
    # Numbers count the members of a list, all of which are of the same kinds.
    for key in (key for key in place if isinstance(key, str)):
        if len(models) > 1:
            models = [model for model in models if key in _tags(model)]
        elif key in models[0].model_fields:
            models = _models_in(models[0].model_fields[key].annotation)
    return models[0]


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in get_args(annotation) for model in _models_in(inner)]


def _tags(model: type[BaseModel]) -> tuple[Any, ...]:
    return next((get_args(field.annotation) for name, field in model.model_fields.items() if name in _TAGS), ())


def _child(node: yaml.Node | None, key: int | str) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        return next((value for name, value in node.value if name.value == str(key)), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
        child: yaml.Node = node.value[key]
        return child
    return None


def _is_tag(part: int | str, place: tuple[int | str, ...], node: yaml.Node | None) -> bool:
    before = place[: place.index(part)]
    for key in before:
        node = _child(node, key) or node
    if not isinstance(node, yaml.MappingNode) or _child(node, part) is not None:
        return False
    tags = {value.value for name, value in node.value if name.value in _TAGS}
    return part in tags


def _line(node: yaml.Node | None, keys: list[int | str]) -> int:
    """The line (from 1) of the key, or of the innermost part of its place that is there."""
    line = node.start_mark.line if node is not None else 0
    for key in keys:
        if isinstance(node, yaml.MappingNode):
            for name, _ in node.value:
                if name.value == str(key):
                    line = name.start_mark.line
        node = _child(node, key)
        if node is None:
            break
        if isinstance(key, int):
            line = node.start_mark.line
    return line + 1
