"""Removes what a run has made on AWS, and names what stays. Whatever may be somebody else's is left alone."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from harness.aws.stack import Made, made
from harness.emulator.clients import DEFAULT_REGION
from harness.errors import UnknownVerdictError
from harness.stack.deploy import empty_bucket
from harness.stack.package import TAG, artifacts_bucket

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.emulator.clients import Clients

_TIMEOUT_S = 1800
_POLL_S, _POLL_OF_A_SERVER_S = 3.0, 0.1
# What is still under way writes into buckets that were empty: the next attempt empties them again.
_ATTEMPTS = 3
_GONE, _FAILED = "DELETE_COMPLETE", "DELETE_FAILED"
_ABSENT = {"NoSuchBucket", "NoSuchTagSet", "ResourceNotFoundException", "404"}
PREFIX = "pp-"
"""What the name of a run's stack begins with."""


def remove(clients: Clients, stack: str) -> list[str]:
    """Removes the stack of a run with what its buckets hold, the logs of its functions and the bucket of its packages. Returns what is left, each with the reason: nothing is
    raised for what AWS refuses, since the rest can still go."""
    left: list[str] = []
    described = _tried(left, f"stack {stack}", lambda: clients("cloudformation").describe_stacks(StackName=stack)["Stacks"][0])
    if described is not None and {"Key": TAG, "Value": stack} not in described.get("Tags", []):
        return [f"stack {stack}: it has not the tag of a run, and is left alone"]
    if described is not None:
        identity = described["StackId"]
        of_stack = _tried(left, f"what stack {stack} has made", lambda: made(clients, identity)) or Made({})
        for _ in range(_ATTEMPTS):
            refused: list[str] = []
            for bucket in of_stack.buckets:
                _tried(refused, f"the objects of bucket {bucket}", partial(_emptied, clients, bucket, of_stack))
            status = _tried(refused, f"stack {stack}", lambda: _deleted(clients, stack, identity))
            if status != _FAILED:
                break
        if status is not None:
            refused += _tried(refused, f"stack {stack}", lambda: _staying(clients, of_stack)) or []
        if status not in {None, _GONE}:
            refused.append(f"stack {stack}: it is {status}")
        left += refused
        for name in sorted(of_stack.called):
            # Lambda makes it, and CloudFormation does not know it.
            group = f"/aws/lambda/{name}"
            _tried(
                left, f"log group {group}", partial(_without_logs, clients("logs"), group, described["CreationTime"].timestamp())
            )
    bucket = artifacts_bucket(clients, stack)
    _tried(left, f"bucket {bucket}", lambda: _bucket_deleted(clients("s3"), bucket))
    return left


def leftovers(clients: Clients) -> list[str]:
    """Returns the stacks that runs have left in the account and region: those with our tag and prefix, and those of which the bucket of packages alone is left.

    Raises UnknownVerdictError where AWS does not say."""
    try:
        found = [
            one["StackName"]
            for page in clients("cloudformation").get_paginator("describe_stacks").paginate()
            for one in page["Stacks"]
            if {"Key": TAG, "Value": one["StackName"]} in one.get("Tags", [])
            and one["StackName"].startswith(PREFIX)
            and one["StackStatus"] != "DELETE_COMPLETE"
        ]
        buckets = [bucket["Name"] for bucket in clients("s3").list_buckets()["Buckets"]]
        of_packages = (
            _stack_of(clients, name) for name in buckets if name.startswith(PREFIX) and name.endswith(f"-code-{clients.account}")
        )
        return [*found, *(stack for stack in of_packages if stack and stack not in found)]
    except (ClientError, BotoCoreError) as error:
        raise UnknownVerdictError(f"AWS does not say what is left: {error}") from error


def _stack_of(clients: Clients, bucket: str) -> str | None:
    """Returns the stack whose packages a bucket of this region has; None where it is not a run's."""
    s3 = clients("s3")
    try:
        region = s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] or DEFAULT_REGION
        tags = s3.get_bucket_tagging(Bucket=bucket)["TagSet"] if region == clients.region else []
    except ClientError as error:
        if _is_absent(error):
            return None
        raise
    named = (tag["Value"] for tag in tags if tag["Key"] == TAG)
    return next((stack for stack in named if stack.startswith(PREFIX) and artifacts_bucket(clients, stack) == bucket), None)


def _tried(left: list[str], what: str, step: Callable[[], Any]) -> Any:
    """Returns what a step returns. What is not there needs no removal; another refusal goes to `left`."""
    try:
        return step()
    except (ClientError, BotoCoreError) as error:
        if not _is_absent(error):
            left.append(f"{what}: {error}")
        return None


def _is_absent(error: Exception) -> bool:
    if not isinstance(error, ClientError):
        return False
    told = error.response.get("Error", {})
    code, message = told.get("Code"), told.get("Message", "")
    # CloudFormation answers ValidationError for a stack that does not exist.
    return code in _ABSENT or (code == "ValidationError" and message.startswith("Stack ") and "does not exist" in message)


def _emptied(clients: Clients, bucket: str, of_stack: Made) -> None:
    """Empties a bucket of the stack. On AWS itself CloudFormation has written on it whose it is."""
    s3 = clients("s3")
    if not clients.endpoint:
        tags = s3.get_bucket_tagging(Bucket=bucket)["TagSet"]
        if not any(tag["Key"] == "aws:cloudformation:stack-id" and tag["Value"] in of_stack.stacks for tag in tags):
            return
    empty_bucket(s3, bucket)


def _deleted(clients: Clients, stack: str, identity: str) -> str:
    """Deletes a stack and waits until it is gone. Returns its status then."""
    # What is being updated cannot be deleted.
    _status(clients, identity, lambda status: not (status.startswith("UPDATE") and status.endswith("IN_PROGRESS")))
    clients("cloudformation").delete_stack(StackName=stack)
    return _status(clients, identity, lambda status: status in {_GONE, _FAILED})


def _status(clients: Clients, identity: str, is_reached: Callable[[str], bool]) -> str:
    """Waits for a status of a stack. Returns it, or the one that it has when the time is over."""
    deadline = time.monotonic() + _TIMEOUT_S
    while True:
        status: str = clients("cloudformation").describe_stacks(StackName=identity)["Stacks"][0]["StackStatus"]
        if is_reached(status) or time.monotonic() > deadline:
            return status
        time.sleep(_POLL_OF_A_SERVER_S if clients.endpoint else _POLL_S)


def _staying(clients: Clients, of_stack: Made) -> list[str]:
    """Returns the resources that a stack, or one that it nests, has left behind."""
    pages = (
        page
        for identity in of_stack.stacks
        for page in clients("cloudformation").get_paginator("list_stack_resources").paginate(StackName=identity)
    )
    return [told for page in pages for resource in page["StackResourceSummaries"] if (told := _stays(resource, of_stack))]


def _stays(resource: dict[str, Any], of_stack: Made) -> str:
    name = resource.get("PhysicalResourceId", resource["LogicalResourceId"])
    # SAM keeps the versions of a function, and they go with the function.
    went = resource["ResourceType"] == "AWS::Lambda::Version" and any(f":function:{of}:" in name for of in of_stack.functions)
    if resource["ResourceStatus"] not in {"DELETE_FAILED", "DELETE_SKIPPED"} or went:
        return ""
    return f"{resource['ResourceType']} {name}: {resource.get('ResourceStatusReason') or 'its DeletionPolicy keeps it'}"


def _without_logs(logs: Any, group: str, since_s: float) -> None:
    """Deletes a log group that was made since then: an older one is of another function, which had the name before."""
    for one in logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]:
        if one["logGroupName"] == group and one["creationTime"] / 1000 >= since_s - 1:
            logs.delete_log_group(logGroupName=group)


def _bucket_deleted(s3: Any, bucket: str) -> None:
    empty_bucket(s3, bucket)
    s3.delete_bucket(Bucket=bucket)
