"""The names that a deployment has made, and those of the template."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from harness.errors import UnknownVerdictError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from harness.emulator.clients import Clients

_GONE = {"DELETE_COMPLETE", "DELETE_IN_PROGRESS"}


@dataclass(frozen=True, slots=True)
class Resource:
    """`name` is its logical id in the template, `type` as in AWS::SQS::Queue, `made` its physical id."""

    name: str
    type: str
    made: str

    @property
    def made_name(self) -> str:
        """Returns the name in a physical id, which may be an ARN or a URL."""
        return self.made.rstrip("/").rpartition("/")[2].rpartition(":")[2]


def made_resources(clients: Clients) -> Iterator[Resource]:
    """Yields the resources of all stacks in the account. Raises botocore's errors."""
    cloudformation = clients("cloudformation")
    for page in cloudformation.get_paginator("describe_stacks").paginate():
        for stack in page["Stacks"]:
            # The emulator tells those that are deleted, too, but not their resources.
            for resource in (
                cloudformation.describe_stack_resources(StackName=stack["StackName"])["StackResources"]
                if stack["StackStatus"] not in _GONE
                else ()
            ):
                if "PhysicalResourceId" in resource:
                    yield Resource(resource["LogicalResourceId"], resource["ResourceType"], resource["PhysicalResourceId"])


def template_names(clients: Clients, types: Collection[str]) -> dict[str, str]:
    """Returns the logical ids of the resources of these types in the account by their names there. Raises UnknownVerdictError where they are not told."""
    try:
        return {one.made_name: one.name for one in made_resources(clients) if one.type in types}
    except (ClientError, BotoCoreError) as error:
        raise UnknownVerdictError(f"{clients.endpoint} does not tell its stacks: {error}") from error
