"""What a patch declares: the module, what it expects to find there, and why it is needed."""

from __future__ import annotations

import ast
import contextlib
import functools
import hashlib
import importlib.util
import json
import os
import tempfile
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


Definitions = dict[str, tuple[str, ...] | None]


@functools.cache
def _defined_in(module: str) -> Definitions | str:
    """Returns what a module defines, or what is wrong with it. Several patches ask for one module, and each is looked at twice before LocalStack runs."""
    source = _source(module)
    if source is None:
        return f"module {module} does not exist"
    text = source.read_bytes()
    if (known := _known.get(text)) is not None:
        return known
    try:
        found = _defined(ast.parse(text))
    except SyntaxError:
        return f"module {module} is not written for this Python"
    _known.add(text, found)
    return found


class _Known:
    """What modules define, kept from start to start as byte code is: by the SHA-256 of a source and of this one, which reads it. To parse them all
    is half a second."""

    def __init__(self) -> None:
        directory = os.environ.get("PIPEPROOF_CACHE")
        self._file = Path(directory) / "definitions.json" if directory else None
        self._entries: dict[str, Any] | None = None
        self._new = False

    def get(self, text: bytes) -> Definitions | None:
        """Returns what a source defines, None where it is not known."""
        if self._entries is None:
            self._entries = self._read()
        match self._entries.get(_digest(text)):
            case dict(found):
                return {name: None if parameters is None else tuple(parameters) for name, parameters in found.items()}
            case _:
                return None

    def add(self, text: bytes, found: Definitions) -> None:
        """Remembers it until `keep` writes it down."""
        assert self._entries is not None
        self._entries[_digest(text)] = found
        self._new = True

    def keep(self) -> None:
        """Writes down what is new, where there is a place for it; two processes that do so at once leave the file of one."""
        if self._file is None or not self._new:
            return
        with contextlib.suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile("w", dir=self._file.parent, delete=False) as file:
                json.dump(self._entries, file)
            Path(file.name).replace(self._file)
        self._new = False

    def _read(self) -> dict[str, Any]:
        try:
            entries = json.loads(self._file.read_bytes()) if self._file else {}
        except (OSError, ValueError):
            return {}
        return entries if isinstance(entries, dict) else {}


def _digest(text: bytes) -> str:
    return hashlib.sha256(_THIS + text).hexdigest()


_THIS = hashlib.sha256(Path(__file__).read_bytes()).digest()


_known = _Known()
keep_definitions = _known.keep


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


def _defined(tree: ast.Module) -> Definitions:
    """Returns the names that a module binds, and those of its classes' bodies; functions with their parameters."""
    found: Definitions = {}
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


def _bound(node: ast.AST) -> Definitions:
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
