"""A module that is loaded when one of its names is needed that is not known already."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class Later(ModuleType):
    """Stands for a module in sys.modules. It has the names that are given, and loads the module for any other."""

    def __init__(self, name: str, known: Mapping[str, Any]) -> None:
        super().__init__(name, f"Stands for {name} until it is needed.")
        self._loaded: ModuleType | None = None
        vars(self).update(known)

    def __getattr__(self, name: str) -> Any:
        """Returns what the module has under the name. Raises AttributeError as the module does."""
        if name.startswith("__"):
            # The import system asks for its own marks: they load nothing.
            raise AttributeError(name)
        if self._loaded is None:
            if sys.modules.get(self.__name__) is self:
                del sys.modules[self.__name__]
            self._loaded = importlib.import_module(self.__name__)
        return getattr(self._loaded, name)


def later(name: str, known: Mapping[str, Any]) -> None:
    """Puts a module off, if it is not loaded. `known` are names with what stands for them; `__path__` makes it a package, whose modules can be loaded."""
    if name in sys.modules:
        return
    sys.modules[name] = Later(name, known)
    # As the import system does it.
    package, _, child = name.rpartition(".")
    if package in sys.modules:
        setattr(sys.modules[package], child, sys.modules[name])
