"""The resources of one stack, as far as a run asks AWS about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.emulator.clients import Clients

_MACHINES = "AWS::StepFunctions::StateMachine"


@dataclass(frozen=True, slots=True)
class Made:
    """Physical ids by the type of the resource."""

    by_type: dict[str, list[str]]

    def of(self, kind: str) -> list[str]:
        return self.by_type.get(kind, [])

    @property
    def functions(self) -> list[str]:
        return self.of("AWS::Lambda::Function")

    @property
    def queues(self) -> list[str]:
        """Returns the URLs of the queues."""
        return self.of("AWS::SQS::Queue")

    @property
    def machines(self) -> list[str]:
        """Returns the ARNs of the state machines."""
        return self.of(_MACHINES)

    @property
    def buckets(self) -> list[str]:
        return self.of("AWS::S3::Bucket")

    @property
    def tables(self) -> list[str]:
        return self.of("AWS::DynamoDB::Table")


def made(clients: Clients, stack: str) -> Made:
    """Returns what a stack has made, with that of its nested stacks. Raises botocore's errors."""
    found: dict[str, list[str]] = {}
    cloudformation = clients("cloudformation")
    waiting = [stack]
    while waiting:
        pages: Any = cloudformation.get_paginator("list_stack_resources").paginate(StackName=waiting.pop())
        for resource in (one for page in pages for one in page["StackResourceSummaries"]):
            # One that is not complete has none yet.
            if identity := resource.get("PhysicalResourceId"):
                found.setdefault(resource["ResourceType"], []).append(identity)
                if resource["ResourceType"] == "AWS::CloudFormation::Stack":
                    waiting.append(identity)
    return Made(found)
