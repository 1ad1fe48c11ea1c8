"""References in a scenario's strings: ${outputs.NAME}, ${resources.LOGICAL_ID}, ${resources.LOGICAL_ID.ATTRIBUTE}, ${account}, ${region}, ${endpoint},
${emulator.python_runtime}."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any, TypeVar

from harness.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.parts.part import Part

Place = tuple[int | str, ...]

AnyPart = TypeVar("AnyPart", bound="Part")
_REFERENCE = re.compile(r"\$\{([^}]+)\}")
_EVERYWHERE = ("account", "region", "endpoint", "served", "emulator.python_runtime")
_PARTS = ("lookup", "setup", "send", "schedules", "actors", "probes", "checks")
"""The parts whose strings may name what the stack has."""
_KNOWN_TRANSFORMS = ("AWS::Serverless-2016-10-31", "AWS::LanguageExtensions")
# SAM makes them without a resource of that name in the template.
_IMPLICIT = ("ServerlessRestApi", "ServerlessHttpApi")


def unknown(document: Mapping[str, Any], template: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
    """Yields each reference that nothing in the template or the run matches: its place, and a message that says what there is.

    A macro can add outputs and resources. Where the template has one, references to outputs and resources are not checked."""
    parameters = (document.get("stack") or {}).get("parameters")
    for place, name in _references(parameters, ("stack", "parameters")):
        if name not in _EVERYWHERE:
            yield place, not_known(name, _EVERYWHERE)
    outputs, resources = (tuple(map(str, template.get(section) or ())) for section in ("Outputs", "Resources"))
    is_open = _has_macros(template, (*outputs, *resources))
    for place, name in _references({part: document.get(part) for part in _PARTS}, ()):
        section, _, rest = name.partition(".")
        known = {
            "outputs": rest in outputs or is_open,
            "resources": _is_resource(rest.partition(".")[0], template["Resources"]) or is_open,
        }.get(section, name in _EVERYWHERE)
        if not known:
            other = {"outputs": "resources", "resources": "outputs"}.get(section, "resources")
            of_section = {"outputs": [f"outputs.{n}" for n in outputs], "resources": [f"resources.{n}" for n in resources]}
            yield (
                place,
                not_known(
                    name,
                    [one for one in of_section.get(other, ()) if one == f"{other}.{rest}"]
                    or of_section.get(section)
                    or (*_EVERYWHERE, *of_section["outputs"]),
                ),
            )


def resources_named(document: Mapping[str, Any]) -> list[str]:
    """Returns what a scenario's parts say after `resources.`, each once: LOGICAL_ID or LOGICAL_ID.ATTRIBUTE."""
    named = (name for _, name in _references({part: document.get(part) for part in _PARTS}, ()))
    return sorted({name.partition(".")[2] for name in named if name.startswith("resources.")})


def attributes_named(document: Mapping[str, Any]) -> Iterator[tuple[Place, str, str]]:
    """Yields each ${resources.LOGICAL_ID.ATTRIBUTE}: its place, the logical id and the attribute."""
    for place, name in _references({part: document.get(part) for part in _PARTS}, ()):
        section, _, rest = name.partition(".")
        resource, _, attribute = rest.partition(".")
        if section == "resources" and attribute:
            yield place, resource, attribute


def _has_macros(template: Mapping[str, Any], names: Sequence[str]) -> bool:
    """Returns whether macros other than SAM's may add outputs or resources. `names` are those that the template has."""
    transform = template.get("Transform") or ()
    used = transform if isinstance(transform, list) else [transform] if transform else []
    return any(one not in _KNOWN_TRANSFORMS for one in used) or any(name.startswith("Fn::") for name in names)


def _is_resource(logical_id: str, resources: Mapping[str, Any]) -> bool:
    """Returns whether the template has the resource, or SAM may make it. SAM names what it adds after the resource that it belongs to: MyFunctionRole."""
    return (
        logical_id in resources
        or logical_id.startswith(_IMPLICIT)
        or any(
            logical_id.startswith(str(name)) and str(resource.get("Type")).startswith("AWS::Serverless::")
            for name, resource in resources.items()
        )
    )


def _references(value: Any, place: Place) -> Iterator[tuple[Place, str]]:
    match value:
        case str():
            yield from ((place, found[1]) for found in _REFERENCE.finditer(value))
        case dict():
            for name, inner in value.items():
                yield from _references(inner, (*place, name))
        case list() | tuple():
            for number, inner in enumerate(value):
                yield from _references(inner, (*place, number))


def not_known(name: str, known: Sequence[str]) -> str:
    """Returns a message for a reference that nothing matches: the nearest of those that are known, else all."""
    near = difflib.get_close_matches(name, known, n=3) or sorted(known)
    return f"${{{name}}} is not known; there is {', '.join(near) or 'none'}"


def substitute(text: str, values: Mapping[str, str], where: str) -> str:
    """Returns the text with each ${name} replaced by its value. Raises UsageError, with the known names, for an unknown one."""

    def value(match: re.Match[str]) -> str:
        try:
            return values[match[1]]
        except KeyError:
            raise UsageError(f"{where}: {not_known(match[1], list(values))}") from None

    return _REFERENCE.sub(value, text)


def resolved(part: AnyPart, values: Mapping[str, str], where: str) -> AnyPart:
    """Returns the part with the references in all its strings replaced. Raises UsageError that names the key of an unknown one."""
    # A key that the file does not have stays unset: some parts tell it from a key that is null.
    document = part.model_dump(serialize_as_any=True, exclude_unset=True)
    return type(part).model_validate(_replaced(document, values, where))


def _replaced(value: Any, values: Mapping[str, str], where: str) -> Any:
    match value:
        case str():
            return substitute(value, values, where)
        case dict():
            return {name: _replaced(inner, values, f"{where}.{name}") for name, inner in value.items()}
        case list() | tuple():
            return [_replaced(inner, values, f"{where}.{place}") for place, inner in enumerate(value)]
        case _:
            return value
