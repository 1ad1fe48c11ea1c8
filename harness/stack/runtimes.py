"""Which Lambda runtimes a template names, and what they run on here.

A function in any Python 3 runs on the Python that the emulator has, and its packages are installed for that one. A function in any Node.js runs on the
Node.js that the emulator has, if it has one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from harness.stack.functions import functions
from harness.stack.nested import with_nested
from harness.stack.template import read_template
from harness.stack.values import parameter_values

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from harness.emulator.emulator import Abilities
    from harness.stack.functions import Function
    from harness.stack.template import Template

_PYTHON = re.compile(r"python3\.\d+")
_NODE = re.compile(r"nodejs\d+\.x")


def replaced(runtime: str, abilities: Abilities | None) -> str:
    """Returns the runtime that a function with this runtime is built for, and runs on."""
    if abilities is None:
        return runtime
    if _PYTHON.fullmatch(runtime):
        return abilities.python
    return abilities.node if abilities.node and _NODE.fullmatch(runtime) else runtime


def needs_node(template: Path, parameters: Mapping[str, str]) -> bool:
    """Returns whether a template, or one that it nests, has functions in Node.js. Raises UsageError where one cannot be read."""
    return any(
        _NODE.fullmatch(function.runtime or "")
        for one in with_nested(read_template(template))
        for function in functions(one, parameter_values(one.document, parameters, ""))
    )


def replacements(template: Template, values: Mapping[str, object], abilities: Abilities | None) -> dict[str, str]:
    """Returns the runtimes of the template that run on another one, with that one. `values` are those of the template's parameters."""
    named = {function.runtime for function in functions(template, values) if function.runtime}
    return {runtime: on for runtime in sorted(named) if (on := replaced(runtime, abilities)) != runtime}


def refused(
    template: Template, values: Mapping[str, object], abilities: Abilities, *, strict: bool
) -> Iterator[tuple[Function, str]]:
    """Yields each function that does not run here, and the reason. With `strict` also those that would run on another runtime than they name."""
    for function in functions(template, values):
        runtime = function.runtime
        if function.is_image:
            yield function, "PackageType Image: an image needs Docker inside the emulator; use a Zip"
        elif runtime is None or runtime.startswith("provided"):
            continue
        elif _NODE.fullmatch(runtime) and abilities.node is None:
            yield (
                function,
                f"runtime {runtime}: the emulator finds no `node` (18 or later); install Node.js, or use --emulator embedded",
            )
        elif not _PYTHON.fullmatch(runtime) and not _NODE.fullmatch(runtime):
            on = f"python3.* (on {abilities.python}), nodejs*.x ({f'on {abilities.node}' if abilities.node else 'none here'})"
            yield function, f"runtime {runtime}: this emulator runs {on} and provided.*"
        elif strict and (on := replaced(runtime, abilities)) != runtime:
            yield function, f"runtime {runtime}: the emulator has {on}, and --strict-runtime was given"
