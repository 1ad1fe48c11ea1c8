"""Removes what a run has made on AWS, and names what stays."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from harness.aws.stack import Made, made
from harness.errors import UnknownVerdictError
from harness.stack.deploy import empty_bucket
from harness.stack.package import TAG, artifacts_bucket

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.emulator.clients import Clients

_TIMEOUT_S = 1800
_POLL_S, _POLL_OF_A_SERVER_S = 3.0, 0.1
PREFIX = "pp-"
"""What the name of a run's stack begins with."""


def remove(clients: Clients, stack: str) -> list[str]:
    """Removes a stack with what its buckets hold, the logs of its functions and the bucket of its packages. Returns what is left, each with the reason: nothing is raised
    for what AWS refuses, since the rest can still go."""
    left: list[str] = []
    whole = _tried(left, f"stack {stack}", lambda: _described(clients, stack))
    if whole is not None:
        of_stack = _tried(left, f"what stack {stack} has made", lambda: made(clients, whole)) or Made({})
        for bucket in of_stack.buckets:
            _tried(left, f"the objects of bucket {bucket}", partial(empty_bucket, clients("s3"), bucket))
        _tried(left, f"stack {stack}", lambda: left.extend(_deleted(clients, stack, whole, of_stack)))
        for name in of_stack.functions:
            # Lambda makes it, and CloudFormation does not know it.
            group = f"/aws/lambda/{name}"
            _tried(left, f"log group {group}", partial(clients("logs").delete_log_group, logGroupName=group))
    bucket = artifacts_bucket(clients, stack)
    _tried(left, f"bucket {bucket}", lambda: _bucket_deleted(clients("s3"), bucket))
    return left


def leftovers(clients: Clients) -> list[str]:
    """Returns the stacks that runs have left in the account and region: those with our tag and prefix, and those of which the bucket of packages alone is left.

    Raises UnknownVerdictError where AWS does not say."""
    try:
        return _leftovers(clients)
    except (ClientError, BotoCoreError) as error:
        raise UnknownVerdictError(f"AWS does not say what is left: {error}") from error


def _leftovers(clients: Clients) -> list[str]:
    found = [
        one["StackName"]
        for page in clients("cloudformation").get_paginator("describe_stacks").paginate()
        for one in page["Stacks"]
        if any(tag == {"Key": TAG, "Value": one["StackName"]} for tag in one.get("Tags", []))
        and one["StackName"].startswith(PREFIX)
        and one["StackStatus"] != "DELETE_COMPLETE"
    ]
    s3 = clients("s3")
    for bucket in s3.list_buckets()["Buckets"]:
        if bucket["Name"].startswith(PREFIX) and bucket["Name"].endswith(f"-code-{clients.account}"):
            try:
                tags = s3.get_bucket_tagging(Bucket=bucket["Name"])["TagSet"]
            except ClientError:
                # Without a tag it is not ours; a bucket of another region does not answer here.
                continue
            found += [tag["Value"] for tag in tags if tag["Key"] == TAG and tag["Value"] not in found]
    return found


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
    return told.get("Code") in {"NoSuchBucket", "ResourceNotFoundException", "404"} or "does not exist" in told.get("Message", "")


def _described(clients: Clients, stack: str) -> str:
    """Returns the id of a stack, by which it is told after it has gone."""
    identity: str = clients("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]["StackId"]
    return identity


def _deleted(clients: Clients, stack: str, identity: str, of_stack: Made) -> Iterator[str]:
    """Deletes a stack and waits until it is gone. Yields the resources that stay."""
    cloudformation = clients("cloudformation")
    cloudformation.delete_stack(StackName=stack)
    deadline = time.monotonic() + _TIMEOUT_S
    while True:
        status = cloudformation.describe_stacks(StackName=identity)["Stacks"][0]["StackStatus"]
        if status in {"DELETE_COMPLETE", "DELETE_FAILED"}:
            break
        if time.monotonic() > deadline:
            yield f"stack {stack}: still {status} after {_TIMEOUT_S} s"
            return
        time.sleep(_POLL_OF_A_SERVER_S if clients.endpoint else _POLL_S)
    if status == "DELETE_FAILED":
        yield f"stack {stack}: it could not be deleted"
    for page in cloudformation.get_paginator("list_stack_resources").paginate(StackName=identity):
        for one in page["StackResourceSummaries"]:
            name = one.get("PhysicalResourceId", one["LogicalResourceId"])
            # SAM keeps the versions of a function, and they go with the function.
            went = one["ResourceType"] == "AWS::Lambda::Version" and any(f":function:{of}:" in name for of in of_stack.functions)
            if one["ResourceStatus"] in {"DELETE_FAILED", "DELETE_SKIPPED"} and not went:
                yield f"{one['ResourceType']} {name}: {one.get('ResourceStatusReason') or 'its DeletionPolicy keeps it'}"


def _bucket_deleted(s3: Any, bucket: str) -> None:
    empty_bucket(s3, bucket)
    s3.delete_bucket(Bucket=bucket)
