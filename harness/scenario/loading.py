"""Reads a scenario file: YAML, checked. Every error names its file, line and key, and what is allowed there."""

from __future__ import annotations

import difflib
import os
import re
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from harness.documents import MOST_ERRORS, child_of, line_of, read_yaml, require_once, require_regular
from harness.errors import UsageError
from harness.faults.check import problems
from harness.scenario import references
from harness.scenario.scenario import Scenario
from harness.scenario.typed import scenario_type
from harness.stack.template import load_template

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pydantic_core import ErrorDetails

# The keys that say of which kind a part is.
_TAGS = ("kind", "to", "shape", "type")
# What another part calls the same.
_MEANT = {"calls": ["invocations"], "invocations": ["calls"]}


def load_scenario(path: Path) -> Scenario:
    """Returns the scenario of a file. Raises UsageError that names file, line, key and what is allowed."""
    try:
        node, document = read_yaml(path, "scenario")
    except UsageError as error:
        # The short forms of CloudFormation's functions are no YAML of a scenario.
        if "for the tag '!" in str(error) and re.search(r"^Resources:", path.read_text("utf-8"), re.MULTILINE):
            raise UsageError(
                f"{path} is a template, and not a scenario: `pipeproof init {path}` writes a scenario for it"
            ) from error
        raise
    if isinstance(document, dict) and "Resources" in document:
        raise UsageError(f"{path} is a template, and not a scenario: `pipeproof init {path}` writes a scenario for it")
    if not isinstance(document, dict):
        raise UsageError(f"scenario {path} is not a mapping: expected keys such as {', '.join(Scenario.model_fields)}")
    require_once(node, path, "scenario")
    return _validated(document, path.parent, lambda place, message: _told(place, message, node, path), node)


def scenario_of(document: Any, directory: Path) -> Scenario:
    """Returns the scenario of plain data, as `Scenario.document` makes it. Raises ValueError for data that is no scenario."""
    if not isinstance(document, dict):
        raise ValueError("the scenario is not a mapping")  # noqa: TRY004 - its callers turn ValueErrors into messages
    try:
        return _validated(document, directory, lambda place, message: f"{'.'.join(map(str, place))}: {message}", None)
    except UsageError as error:
        raise ValueError(str(error)) from error


def _validated(document: dict[str, Any], directory: Path, tell: Any, node: yaml.Node | None) -> Scenario:
    document = _with_absolute_files(document, directory)
    model, problems = scenario_type(document, directory)
    lines = [tell(problem.place, problem.message) for problem in problems[:MOST_ERRORS]]
    lines += [f"and {len(problems) - MOST_ERRORS:,} more"] if len(problems) > MOST_ERRORS else []
    try:
        scenario = model.model_validate(document, context={"directory": directory})
    except ValidationError as error:
        details = error.errors(include_url=False)
        lines += [tell(*_explain(detail, node, model)) for detail in details[:MOST_ERRORS]]
        more = len(details) - MOST_ERRORS
        lines += [f"and {more:,} more"] if more > 0 else []
    except RecursionError:
        lines.append("the scenario is nested too deeply")
    if not lines:
        try:
            require_regular(scenario.stack.template, "template")
        except UsageError as error:
            raise UsageError(tell(("stack", "template"), str(error))) from error
        template = load_template(scenario.stack.template)
        lines = [tell(place, message) for place, message in references.unknown(document, template)]
        lines += [tell(place, message) for place, message in _unmet(scenario, template)]
    if lines:
        raise UsageError("\n".join(lines))
    return scenario


def _unmet(scenario: Scenario, template: dict[str, Any]) -> Iterator[tuple[tuple[int | str, ...], str]]:
    """Yields the place of each fault that can meet nothing, and what exists."""
    malformers = (*scenario.source.malformers, *scenario.source.arrival_faults)
    for at, plan in ((("faults",), scenario.faults), (("chaos", "of"), scenario.chaos.of if scenario.chaos else ())):
        for number, key, message in problems(plan, template, malformers):
            yield (*at, number, key), message


def _with_absolute_files(document: dict[str, Any], directory: Path) -> dict[str, Any]:
    """Returns the document with absolute files in `use`, so that it means the same wherever it is read again."""

    def absolute(part: Any) -> Any:
        if not isinstance(part, dict) or not isinstance(use := part.get("use"), str) or not use:
            return part
        file, separator, name = use.rpartition(":")
        if not separator or "\0" in file:
            return part
        # Not resolved: that fails where links lead in a circle.
        return {**part, "use": f"{os.path.abspath(directory / file)}:{name}"}  # noqa: PTH100

    return {
        key: [absolute(part) for part in value] if isinstance(value, list) else absolute(value) for key, value in document.items()
    }


def _told(place: tuple[int | str, ...], message: str, node: yaml.Node | None, path: Path) -> str:
    name = ".".join(str(key) for key in place) or "the scenario"
    return f"{path}:{line_of(node, list(place))}: {name}: {message}"


def _explain(detail: ErrorDetails, node: yaml.Node | None, model: type[BaseModel]) -> tuple[tuple[int | str, ...], str]:
    """Returns the place of an error in the file, and the message."""
    # pydantic puts the tag of a union's member into the place; the file has no such key.
    place = detail["loc"]
    keys = tuple(key for number, key in enumerate(place) if not _is_tag(number, place, node))
    message = detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "extra_forbidden":
        allowed = list(_model_at(model, place[:-1]).model_fields)
        meant = [one for one in _MEANT.get(str(place[-1]), ()) if one in allowed]
        near = meant or difflib.get_close_matches(str(place[-1]), allowed, n=1)
        message = f"unknown key; did you mean {near[0]}?" if near else "unknown key."
        message += f" Allowed here: {', '.join(allowed)}"
    if detail["type"] == "literal_error" and isinstance(detail["input"], str):
        near = difflib.get_close_matches(detail["input"], re.findall(r"'([^']*)'", detail["ctx"]["expected"]), n=1)
        message = f"{detail['input']!r} is not {detail['ctx']['expected']}" + (f"; did you mean {near[0]}?" if near else "")
    if detail["type"] == "union_tag_invalid":
        given, key = detail["ctx"]["tag"], detail["ctx"]["discriminator"].strip("'")
        allowed = detail["ctx"]["expected_tags"].replace("'", "").split(", ")
        near = difflib.get_close_matches(given, allowed, n=3)
        message = (
            f"{given!r} is no {key}"
            + (f"; did you mean {' or '.join(near)}?" if near else ".")
            + f" Allowed are {', '.join(allowed)}"
        )
    return keys, message


def _model_at(model: type[BaseModel], place: tuple[int | str, ...]) -> type[BaseModel]:
    """Returns the model of the mapping at this place, in which pydantic names each union's member by its tag."""
    annotation: Any = model
    for key in place:
        if isinstance(key, int):
            items = next(a for a in _members(annotation) if get_origin(a) is tuple)
            annotation = get_args(items)[0 if get_args(items)[-1] is Ellipsis else key]
            continue
        mapping = next((a for a in _members(annotation) if get_origin(a) is dict), None)
        if mapping is not None:
            annotation = get_args(mapping)[1]
            continue
        models = [a for a in _members(annotation) if isinstance(a, type) and issubclass(a, BaseModel)]
        if len(models) > 1:
            annotation = next(m for m in models if key in _tags(m))
        elif models and key in models[0].model_fields:
            annotation = models[0].model_fields[key].annotation
    return next(a for a in _members(annotation) if isinstance(a, type) and issubclass(a, BaseModel))


def _members(annotation: Any) -> list[Any]:
    """Returns the types that a union allows; a plain type alone."""
    if get_origin(annotation) is Annotated:
        return _members(get_args(annotation)[0])
    if get_origin(annotation) in {Union, UnionType}:
        return [member for inner in get_args(annotation) for member in _members(inner)]
    return [annotation]


def _tags(model: type[BaseModel]) -> tuple[Any, ...]:
    return next((get_args(field.annotation) for name, field in model.model_fields.items() if name in _TAGS), ())


def _is_tag(number: int, place: tuple[int | str, ...], node: yaml.Node | None) -> bool:
    part = place[number]
    for key in place[:number]:
        node = child_of(node, key) or node
    if not isinstance(node, yaml.MappingNode) or child_of(node, part) is not None:
        return False
    tags = {value.value for name, value in node.value if name.value in _TAGS}
    return part in tags
