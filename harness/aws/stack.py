"""The resources of one stack, as far as a run asks AWS about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.emulator.clients import Clients

WAITING = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed")
"""The attributes of a queue that count its messages."""
_NOT_ITS_OWN = {"CREATE_FAILED", "DELETE_COMPLETE"}
_MACHINES = "AWS::StepFunctions::StateMachine"


@dataclass(frozen=True, slots=True)
class Made:
    """Physical ids by the type of the resource, and the ids of the stack and of those that it nests."""

    by_type: dict[str, list[str]]
    stacks: tuple[str, ...] = ()
    called: frozenset[str] = frozenset()
    """The functions that there are or were: their logs outlive them."""

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
    stacks, called = [stack], set()
    for one in stacks:
        pages: Any = cloudformation.get_paginator("list_stack_resources").paginate(StackName=one)
        for resource in (each for page in pages for each in page["StackResourceSummaries"]):
            # One that is not complete has no id yet. One that could not be created may have that of somebody else's, which had the name before.
            identity = resource.get("PhysicalResourceId")
            if identity and resource["ResourceType"] == "AWS::Lambda::Function" and resource["ResourceStatus"] != "CREATE_FAILED":
                called.add(identity)
            if identity and resource["ResourceStatus"] not in _NOT_ITS_OWN:
                found.setdefault(resource["ResourceType"], []).append(identity)
                if resource["ResourceType"] == "AWS::CloudFormation::Stack":
                    stacks.append(identity)
    return Made(found, tuple(stacks), frozenset(called))
