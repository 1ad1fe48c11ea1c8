"""The scenario model of one document: its parts are of the classes that the document names, so that their keys can be checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import create_model

from harness.parts import registry
from harness.scenario.scenario import Scenario

if TYPE_CHECKING:
    from pathlib import Path

    from harness.parts.registry import Port

_ONE = {"source": registry.SOURCE, "send": registry.INGRESS}
_MANY = {"actors": registry.ACTOR, "probes": registry.PROBE, "checks": registry.CHECK}


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, and where in the document."""

    place: tuple[int | str, ...]
    message: str


def scenario_type(document: dict[str, Any], directory: Path) -> tuple[type[Scenario], list[Problem]]:
    """Returns the model for this document, and the parts that cannot be had: they are not checked any further."""
    problems: list[Problem] = []
    fields: dict[str, Any] = {}
    for name, port in _ONE.items():
        if name in document:
            fields[name] = (_class(document[name], port, directory, (name,), problems), ...)
    for name, port in _MANY.items():
        if isinstance(values := document.get(name), list) and values:
            classes = tuple(_class(value, port, directory, (name, place), problems) for place, value in enumerate(values))
            fields[name] = (tuple[classes], ...)  # type: ignore[valid-type]
    return create_model("Scenario", __base__=Scenario, **fields), problems


def _class(value: Any, port: Port, directory: Path, place: tuple[int | str, ...], problems: list[Problem]) -> Any:
    """Returns the class that the mapping names; Any, with a problem noted, where there is none."""
    if not isinstance(value, dict):
        problems.append(Problem(place, f"must be a mapping with {port.key} or use, not {value!r:.80}"))
        return Any
    # A scenario that was written down has both keys, and one of them is empty.
    use, kind = value.get("use") or None, value.get(port.key) or None
    try:
        if isinstance(use, str) and kind is None:
            return registry.load(port, use, directory)
        if use is None and isinstance(kind, str):
            return registry.find(port, kind)
    except registry.NoSuchPartError as error:
        problems.append(Problem((*place, "use" if use else port.key), str(error)))
        return Any
    there = ", ".join(registry.kinds(port))
    problems.append(Problem(place, f"needs either {port.key} (one of {there}) or use (a file and a class, such as ./load.py:Mine)"))
    return Any
