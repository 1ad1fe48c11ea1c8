"""Deploys a new version of the stack while the run goes on, as a team does that has mended a fault."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from harness.errors import DeployError, UnknownVerdictError, UsageError
from harness.parts.part import Beside
from harness.parts.ports import Actor, Context
from harness.stack.deploy import update

if TYPE_CHECKING:
    from collections.abc import Iterator


class Deploy(Actor):
    """Updates the stack: with other `parameters`, the rest as they are, or from another `template`, whose code is built anew."""

    template: Beside | None = None
    parameters: dict[str, str] = Field(default={})

    def open(self, context: Context) -> Iterator[str | None]:
        """Yields once the update is complete. Raises DeployError where it is not, also where nothing has changed."""
        template = self.template or context.template
        if template is None:
            raise UnknownVerdictError("deploy: there is no stack to update")
        try:
            update(context.clients, template, self.parameters, context.stack, context.check, context.abilities)
        except UsageError as error:
            # The load is over: the run keeps what it has.
            raise DeployError(f"deploy: {error}") from error
        changed = ", ".join(f"{name}={value}" for name, value in self.parameters.items())
        yield f"deployed {template.parent.name}" + (f" with {changed}" if changed else "")
