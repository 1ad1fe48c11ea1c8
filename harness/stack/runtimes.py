"""Which Lambda runtimes a template names, and what they run on here.

A function in any Python 3 runs on the Python that the emulator has, and its packages are installed for that one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.documents import line_of
from harness.errors import UsageError
from harness.stack.template import resources_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import yaml

_PYTHON = re.compile(r"python3\.\d+")


@dataclass(frozen=True, slots=True)
class _Function:
    """A function of a template. `runtime` is None where only CloudFormation can tell it."""

    logical_id: str
    runtime: str | None
    is_image: bool
    line: int


def value_of(value: Any, values: Mapping[str, Any]) -> Any:
    """Returns the value of a property that may be a reference to a parameter; `values` are those of the parameters."""
    return values.get(value["Ref"]) if isinstance(value, dict) and "Ref" in value else value


def replaced(
    path: Path, template: dict[str, Any], node: yaml.Node | None, values: Mapping[str, Any], python: str, *, strict: bool
) -> dict[str, str]:
    """Returns the runtimes of the template that run on another one, `python`, by name. `values` are those of the template's parameters.

    Raises UsageError that names each function which does not run here, with its line and the reason; with `strict` also those that would run on another Python."""
    refused, others = [], {}
    for function in _functions(template, node, values):
        runtime = function.runtime
        reason = None
        if function.is_image:
            reason = "PackageType Image: an image needs Docker inside the emulator; use a Zip"
        elif runtime is None or runtime == python or runtime.startswith("provided"):
            continue
        elif _PYTHON.fullmatch(runtime) is None:
            reason = f"runtime {runtime}: this emulator runs python3.* (on {python}) and provided.*"
        elif strict:
            reason = f"runtime {runtime}: the emulator has {python}, and --strict-runtime was given"
        else:
            others[runtime] = python
        if reason is not None:
            refused.append(f"{path}:{function.line}: {function.logical_id}: {reason}")
    if refused:
        raise UsageError("\n".join(refused))
    return others


def _functions(template: dict[str, Any], node: yaml.Node | None, values: Mapping[str, Any]) -> Iterator[_Function]:
    common = (template.get("Globals") or {}).get("Function") or {}
    for logical_id, resource in resources_of(template).items():
        if resource["Type"] not in {"AWS::Serverless::Function", "AWS::Lambda::Function"}:
            continue
        properties = (common if resource["Type"] == "AWS::Serverless::Function" else {}) | (resource.get("Properties") or {})
        runtime = value_of(properties.get("Runtime"), values)
        yield _Function(
            logical_id,
            runtime if isinstance(runtime, str) else None,
            value_of(properties.get("PackageType"), values) == "Image",
            line_of(node, ["Resources", logical_id, "Properties", "Runtime"]),
        )
