"""Finds the class of a part: by its kind among the installed ones, or in a file that the scenario names with `use`."""

from __future__ import annotations

import difflib
import functools
import hashlib
import importlib.metadata
import importlib.util
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.parts.ports import Actor, Check, Ingress, Probe, Source

if TYPE_CHECKING:
    from pathlib import Path

    from harness.parts.part import Part

ENTRY_POINTS = "pipeproof.parts"
"""The group of entry points that parts are installed under. Their names are port and kind: `probe.s3`."""


@dataclass(frozen=True, slots=True)
class Port:
    """`key` names the part's kind in the scenario file."""

    name: str
    base: type[Part]
    key: str = "kind"


SOURCE, INGRESS = Port("source", Source), Port("ingress", Ingress, "to")
ACTOR, PROBE, CHECK = Port("actor", Actor), Port("probe", Probe), Port("check", Check)


class NoSuchPartError(LookupError):
    """The scenario names a part that cannot be had. The text says why, and what there is instead."""


def kinds(port: Port) -> list[str]:
    """Returns the kinds that are installed for a port, sorted."""
    return sorted(name for owner, name in _installed() if owner == port.name)


def find(port: Port, kind: str) -> type[Part]:
    """Returns the installed class of this kind. Raises NoSuchPartError with the near kinds."""
    try:
        return _checked(_installed()[port.name, kind].load(), port, kind)
    except KeyError:
        near = difflib.get_close_matches(kind, kinds(port), n=2)
        hint = f"did you mean {' or '.join(near)}?" if near else "there is"
        raise NoSuchPartError(f"{kind!r} is no {port.name}; {hint} {', '.join(kinds(port))}".replace("? ", "? There is ")) from None


def load(port: Port, reference: str, directory: Path) -> type[Part]:
    """Returns the class that `reference` names, such as `./load.py:MySource`; the file is relative to `directory`.

    Raises NoSuchPartError where the file or the class cannot be had."""
    file, separator, name = reference.rpartition(":")
    if not separator or not name.isidentifier():
        raise NoSuchPartError(f"{reference!r} names no class: expected a file and a class, such as ./load.py:MySource")
    try:
        module = load_module((directory / file).resolve())
    except (OSError, RuntimeError, ValueError) as error:
        # Links that lead in a circle, a NUL in the path, or a name that is too long.
        raise NoSuchPartError(f"{file[:200]!r} is no path of a file: {error}") from error
    found = getattr(module, name, None)
    if found is None:
        there = [n for n, value in vars(module).items() if isinstance(value, type) and issubclass(value, port.base)]
        raise NoSuchPartError(f"{file} has no class {name}; of this port it has {', '.join(there) or 'none'}")
    return _checked(found, port, reference)


def load_module(path: Path) -> Any:
    """Returns the module of a Python file, which is run once. Raises NoSuchPartError with what went wrong in it."""
    name = f"pipeproof_used_{hashlib.sha256(str(path).encode()).hexdigest()[:16]}"
    if name in sys.modules:
        return sys.modules[name]
    if not path.is_file():
        raise NoSuchPartError(f"{path} does not exist")
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise NoSuchPartError(f"{path} is not a Python file")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        # The file is the user's own: whatever it raises, it cannot be used, and the person must see why.
        del sys.modules[name]
        raise NoSuchPartError(f"{path} cannot be loaded: {type(error).__name__}: {error}") from error
    return module


@functools.cache
def _installed() -> dict[tuple[str, str], importlib.metadata.EntryPoint]:
    found = {}
    for entry_point in importlib.metadata.entry_points(group=ENTRY_POINTS):
        port, _, kind = entry_point.name.partition(".")
        found[port, kind] = entry_point
    return found


def _checked(found: Any, port: Port, name: str) -> type[Part]:
    if not (isinstance(found, type) and issubclass(found, port.base)):
        raise NoSuchPartError(f"{name} is no {port.name}: it must be a subclass of harness.api.{port.base.__name__}")
    return found
