"""One attempt of a state: what it began with."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


class Attempt:
    """The stack and the variables of an environment before a state is evaluated. A retry begins with them."""

    def __init__(self, env: Any) -> None:
        self._env = env
        self._stack = list(env.stack)
        self._variables = dict(env.variable_store._inner_scope)  # noqa: SLF001 - LocalStack's store has no other way
        self._assigned = set(env.variable_store._declaration_tracing)  # noqa: SLF001 - as above

    def undo(self) -> None:
        """Gives the environment what it had."""
        self._env.stack[:] = self._stack
        self._set(self._variables, self._assigned)

    @contextlib.contextmanager
    def variables_as_before(self) -> Iterator[None]:
        """Lets the block see the variables as they were. AWS evaluates Assign and Output at the same time: an Output does not see what its state
        assigns (https://docs.aws.amazon.com/step-functions/latest/dg/workflow-variables.html)."""
        store = self._env.variable_store
        now, assigned = dict(store._inner_scope), set(store._declaration_tracing)  # noqa: SLF001 - as above
        self._set(self._variables, self._assigned)
        try:
            yield
        finally:
            self._set(now, assigned)

    def _set(self, variables: dict[str, Any], assigned: set[str]) -> None:
        store = self._env.variable_store
        for kept, values in ((store._inner_scope, variables), (store._declaration_tracing, assigned)):  # noqa: SLF001 - as above
            kept.clear()
            kept.update(values)
        store._variable_declarations_cache = None  # noqa: SLF001 - as above
