"""What a patch declares: the module, what it expects to find there, and why it is needed."""

from __future__ import annotations

import ast
import functools
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

NAME = None
"""Expects that a name exists, whatever it is."""


@dataclass(frozen=True, slots=True)
class Patch:
    """One patch. `expects` maps dotted names of the module to the parameters that the function there must have, or to NAME."""

    module: str
    expects: Mapping[str, tuple[str, ...] | None]
    reason: str
    apply: Callable[[Any], None]

    def problems(self) -> Iterator[str]:
        """Yields what the patch expects and the installed module lacks."""
        yield from missing(self.module, self.expects)


def missing(module: str, expects: Mapping[str, tuple[str, ...] | None]) -> Iterator[str]:
    """Yields which of the names the installed module lacks, or has otherwise. Reads the source: importing all modules would take seconds."""
    defined = _defined_in(module)
    if isinstance(defined, str):
        yield defined
        return
    for name, parameters in expects.items():
        if name not in defined:
            yield f"{module} has no {name}"
        elif parameters is not NAME and (found := defined[name]) is not None and found[: len(parameters)] != parameters:
            yield f"{module}.{name} takes ({', '.join(found)}), not ({', '.join(parameters)})"


def patch(module: str, expects: Mapping[str, tuple[str, ...] | None]) -> Callable[[Callable[[Any], None]], Patch]:
    """Makes a patch of a function that changes the module. The function's docstring is the reason."""

    def declared(function: Callable[[Any], None]) -> Patch:
        assert function.__doc__, f"a patch of {module} needs a reason"
        return Patch(module, expects, " ".join(function.__doc__.split()), function)

    return declared


@functools.cache
def _defined_in(module: str) -> dict[str, tuple[str, ...] | None] | str:
    """Returns what a module defines, or what is wrong with it. Several patches ask for one module, and each is looked at twice before LocalStack runs."""
    source = _source(module)
    if source is None:
        return f"module {module} does not exist"
    try:
        return _defined(ast.parse(source.read_bytes()))
    except SyntaxError:
        return f"module {module} is not written for this Python"


def _source(module: str) -> Path | None:
    """Returns the source file of a module. Only the topmost package is imported."""
    top, *below = module.split(".")
    spec = importlib.util.find_spec(top)
    for root in (spec.submodule_search_locations or ()) if spec is not None else ():
        path = Path(root).joinpath(*below)
        for file in (path.with_suffix(".py"), path / "__init__.py"):
            if file.is_file():
                return file
    return None


def _defined(tree: ast.Module) -> dict[str, tuple[str, ...] | None]:
    """Returns the names that a module binds, and those of its classes' bodies; functions with their parameters."""
    found: dict[str, tuple[str, ...] | None] = {}
    # Conditional imports and definitions stand in the bodies of `if` and `try`.
    left: list[ast.stmt] = list(tree.body)
    while left:
        node = left.pop()
        found |= _bound(node)
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{name}": parameters for member in node.body for name, parameters in _bound(member).items()}
        elif isinstance(node, ast.If | ast.Try):
            left += [*node.body, *node.orelse]
    return found


def _bound(node: ast.AST) -> dict[str, tuple[str, ...] | None]:
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            return {node.name: tuple(argument.arg for argument in (*node.args.posonlyargs, *node.args.args))}
        case ast.ClassDef():
            return {node.name: NAME}
        case ast.Import() | ast.ImportFrom():
            return {(alias.asname or alias.name).partition(".")[0]: NAME for alias in node.names}
        case ast.Assign():
            return {target.id: NAME for target in node.targets if isinstance(target, ast.Name)}
        case ast.AnnAssign() if isinstance(node.target, ast.Name):
            return {node.target.id: NAME}
        case _:
            return {}
