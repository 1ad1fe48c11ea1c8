"""Which route of an HTTP API a request takes.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

DEFAULT = "$default"
_STATIC, _VARIABLE, _GREEDY = range(3)


def match(keys: Iterable[str], method: str, path: str) -> tuple[str, dict[str, str]] | None:
    """Returns the key of the most specific route, such as "GET /pets/{id}", and its path parameters; None where there is none.

    A static part goes before a variable one, that before a greedy one ({proxy+}), and a method before ANY. $default takes what is left."""
    found: list[tuple[tuple[list[int], bool], str, dict[str, str]]] = []
    keys = list(keys)
    for key in keys:
        wanted, _, template = key.partition(" ")
        if wanted not in {method, "ANY"} or not template:
            continue
        parameters = _parameters(template, path)
        if parameters is not None:
            found.append((([_kind(part) for part in _parts(template)], wanted == "ANY"), key, parameters))
    if found:
        _, key, parameters = min(found)
        return key, parameters
    return (DEFAULT, {}) if DEFAULT in keys else None


def _parts(path: str) -> list[str]:
    return path.strip("/").split("/")


def _kind(part: str) -> int:
    if not part.startswith("{"):
        return _STATIC
    return _GREEDY if part.endswith("+}") else _VARIABLE


def _parameters(template: str, path: str) -> dict[str, str] | None:
    """Returns the path parameters where the path fits the template, else None."""
    wanted, given = _parts(template), _parts(path)
    parameters: dict[str, str] = {}
    for place, part in enumerate(wanted):
        kind = _kind(part)
        if kind == _GREEDY:
            rest = "/".join(given[place:])
            return {**parameters, part[1:-2]: rest} if rest else None
        if place >= len(given) or (kind == _STATIC and part != given[place]) or (kind == _VARIABLE and not given[place]):
            return None
        if kind == _VARIABLE:
            parameters[part[1:-1]] = given[place]
    return parameters if len(given) == len(wanted) else None
