"""A stack for one test, which deletes it at its end. It is in an AWS account that nothing else uses."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from harness.emulator.clients import Clients
from harness.errors import DeployError
from harness.stack import deploy
from harness.stack.runtimes import needs_node

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from harness.pytest_plugin.emulators import Emulators

_NAME = "pytest"


@dataclass(frozen=True)
class Stack:
    """A deployed stack: its outputs, the physical names of its resources by their logical ids, the endpoint and the account that it is in."""

    outputs: Mapping[str, str]
    resources: Mapping[str, str]
    endpoint: str
    account: str

    def client(self, service: str) -> Any:
        """Returns a boto3 client of the account that the stack is in."""
        return Clients(self.endpoint, self.account)(service)


@contextlib.contextmanager
def deployed(emulators: Emulators, template: Path, parameters: Mapping[str, str], account: str) -> Iterator[Stack]:
    """Yields the stack of a SAM template. Raises UsageError for what is wrong with it, DeployError where it does not deploy."""
    node = needs_node(template, parameters)
    emulator, description = emulators.shared(node=node), emulators.description(node=node)
    clients = Clients(description.endpoint, account)
    try:
        made = deploy.deploy(clients, template, parameters, _NAME, emulator.check, deploy.Wish(abilities=description.abilities))
    except BaseException:
        # Of a stack that was never begun there is nothing.
        with contextlib.suppress(ClientError, DeployError):
            deploy.delete(clients, _NAME)
        raise
    try:
        yield Stack(made.outputs, deploy.physical_names(clients, _NAME), description.endpoint, account)
    finally:
        # It says so where the emulator is gone.
        emulator.check()
        deploy.delete(clients, _NAME)
