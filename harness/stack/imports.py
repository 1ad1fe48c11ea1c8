"""Whether a Python handler can be imported from its package: told without running it, so that code has no effect before the load."""

from __future__ import annotations

import ast
import functools
import sys
import zipfile
from typing import TYPE_CHECKING

from harness.documents import MISTYPED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

# What Lambda's runtime has besides: boto3 with what it needs, and the runtime client.
_PROVIDED = {
    "boto3",
    "botocore",
    "jmespath",
    "s3transfer",
    "urllib3",
    "dateutil",
    "six",
    "awslambdaric",
    "simplejson",
    "snapshot_restore_py",
}
_MOST_MODULES = 500


@functools.cache
def missing(package: Path, handler: str) -> str | None:
    """Returns what is wrong: the handler's module is not there, or it imports, or a module of the package that it imports, what the package lacks. None where all is
    there, or where only running it can tell."""
    with zipfile.ZipFile(package) as archive:
        names = set(archive.namelist())
        tops = {name.partition("/")[0].removesuffix(".py").partition(".")[0] for name in names}
        first = handler.rpartition(".")[0].replace("/", ".")
        # A module of the package may make a package of the directory that it lies in.
        stems = ["/".join(first.split(".")[start:]) for start in range(first.count(".") + 1)]
        start = next((stem for stem in stems if names & {f"{stem}.py", f"{stem}/__init__.py"}), None)
        if start is None:
            return f"there is no {stems[0]}.py"
        installed = _installed(archive)
        todo, seen = [start.replace("/", ".")], set[str]()
        while todo and len(seen) < _MOST_MODULES:
            module = todo.pop()
            file = next(
                (one for one in (f"{module.replace('.', '/')}.py", f"{module.replace('.', '/')}/__init__.py") if one in names), None
            )
            if file is None or file in seen:
                continue
            seen.add(file)
            try:
                tree = ast.parse(archive.read(file).decode("utf-8"))
            except (SyntaxError, *MISTYPED):
                # Its init says what is wrong.
                continue
            for imported in _imported(tree.body, module, is_package=file.endswith("__init__.py")):
                top = imported.partition(".")[0]
                if top not in tops and top not in sys.stdlib_module_names and top not in _PROVIDED:
                    return f"{file} imports {top}, which neither the package nor Lambda's runtime has"
                # Packages that are installed import what they need.
                if top not in installed:
                    todo.append(imported)
    return None


def _installed(archive: zipfile.ZipFile) -> set[str]:
    """Returns the modules that requirements have brought. Each distribution lists its files, whose names need not be its own: PyYAML brings `yaml`."""
    listed = [archive.read(name).decode("utf-8", "replace") for name in archive.namelist() if name.endswith(".dist-info/RECORD")]
    return {line.partition("/")[0].partition(",")[0].removesuffix(".py") for text in listed for line in text.splitlines()}


def _imported(body: Sequence[ast.stmt], module: str, *, is_package: bool) -> Iterator[str]:
    """Yields the modules that are imported whenever the module is: not within functions, nor where a failure is handled."""
    for node in body:
        match node:
            case ast.Import():
                yield from (alias.name for alias in node.names)
            case ast.ImportFrom(level=0):
                yield from (f"{node.module}.{alias.name}" for alias in node.names)
                yield str(node.module)
            case ast.ImportFrom():
                parts = module.split(".")
                base = ".".join(parts[: len(parts) - node.level + is_package])
                yield from (".".join(filter(None, (base, node.module, alias.name))) for alias in node.names)
                yield ".".join(filter(None, (base, node.module)))
            case _:
                # Which branch of an `if` runs is not known.
                continue
