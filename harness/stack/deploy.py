"""Deploys a SAM template and deletes it again. CloudFormation runs SAM's transform: that of LocalStack, or AWS's."""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from harness.emulator import ahead
from harness.errors import DeployError, UsageError
from harness.stack import runtimes
from harness.stack.mistakes import mistakes
from harness.stack.nested import with_nested
from harness.stack.package import TAG, Artifacts, Packager, artifacts_bucket
from harness.stack.template import read_template
from harness.stack.unsupported import is_supported, unsupported
from harness.stack.values import parameter_values

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from harness.emulator.clients import Clients
    from harness.emulator.emulator import Abilities
    from harness.stack.template import Template

_ASKED = "PipeproofAsked"
DEPLOY_TIMEOUT_S = 300
_POLL_S = 0.05
# AWS makes a stack in minutes, and throttles who asks too often.
_AWS_TIMEOUT_S = 1800
_AWS_POLL_S = 3.0
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
_LONGEST_BODY = 51_200
_CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]


@dataclass(frozen=True, slots=True)
class Stack:
    """A deployed stack, its outputs, the values of the resources that were asked for, the runtimes of its functions that run on another one, and what of its
    template was ignored."""

    name: str
    outputs: Mapping[str, str]
    resources: Mapping[str, str] = field(default_factory=dict)
    runtimes: Mapping[str, str] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Wish:
    """How a stack is deployed. `resources` are those whose values the stack reports: LOGICAL_ID as Ref has it, or LOGICAL_ID.ATTRIBUTE. `abilities` are those
    of the emulator, None where it does not say. `strict` refuses functions that would run on another runtime than they name; `ignore` lets go what the
    emulator cannot make."""

    resources: Sequence[str] = ()
    abilities: Abilities | None = None
    strict: bool = False
    ignore: bool = False


def deploy(
    clients: Clients,
    template_path: Path,
    parameters: Mapping[str, str],
    name: str,
    check: Callable[[], None] = lambda: None,
    wish: Wish | None = None,
) -> Stack:
    """Builds, uploads and deploys; waits until the stack is complete. `check` raises where the emulator is gone.

    Raises UsageError for what is wrong before anything is deployed, DeployError with the failed resources and their reasons."""
    wish = wish or Wish()
    template = read_template(template_path)
    if wish.abilities is not None:
        types = [resource["Type"] for part in with_nested(template) for resource in part.resources.values()]
        ahead.load(clients.endpoint, clients.account, clients.region, types)
    check_parameters(template.document, template_path, parameters)
    ignored = refuse_unsupported(template, parameters, clients.account, wish)
    values = parameter_values(template.document, parameters, clients.account)
    storage = Artifacts(clients, name)
    body = Packager(storage, wish.abilities).package(template, parameters)
    # CloudFormation knows them: it evaluates an output for each.
    asking = {f"{_ASKED}{number}": _output(template.document, resource) for number, resource in enumerate(wish.resources)}
    body["Outputs"] = (body.get("Outputs") or {}) | asking
    cloudformation = clients("cloudformation")
    given = _given(parameters)
    tags = [{"Key": TAG, "Value": name}] if clients.aws else []
    cloudformation.create_stack(
        StackName=name, **_body(json.dumps(body), storage), Parameters=given, Capabilities=_CAPABILITIES, Tags=tags
    )
    stack = _complete(clients, name, template_path, "CREATE", check)
    ignored += _skipped(cloudformation, name, wish, ignored)
    outputs = dict(stack.outputs)
    told = {resource: outputs.pop(output) for output, resource in zip(asking, wish.resources, strict=True) if output in outputs}
    return Stack(name, outputs, told, runtimes.replacements(template, values, wish.abilities), tuple(ignored))


def refuse_unsupported(template: Template, parameters: Mapping[str, str], account: str, wish: Wish) -> list[str]:
    """Returns what of a template is ignored, each with its line and the reason. Raises UsageError with all mistakes of the template, or else with all that the emulator
    cannot make and is not ignored."""
    if wrong := [one for part in with_nested(template) for one in _mistakes(part, parameters if part is template else {}, account)]:
        raise UsageError("\n".join(wrong))
    if wish.abilities is None:
        return []
    found = [
        one
        for part in with_nested(template)
        for one in unsupported(
            part,
            parameter_values(part.document, parameters if part is template else {}, account),
            wish.abilities,
            strict=wish.strict,
        )
    ]
    refused = [str(one) for one in found if not (one.ignorable and wish.ignore)]
    if refused:
        hint = "\n--ignore-unsupported runs without it; the verdict is unknown then" if all(one.ignorable for one in found) else ""
        raise UsageError("\n".join(refused) + hint)
    return [str(one) for one in found]


def _mistakes(template: Template, parameters: Mapping[str, str], account: str) -> list[str]:
    return mistakes(template, parameter_values(template.document, parameters, account))


def _skipped(cloudformation: Any, name: str, wish: Wish, ignored: Sequence[str]) -> list[str]:
    """Returns what LocalStack has skipped of a stack besides: what SAM or a macro has made of the template, and the emulator does not have.

    Raises DeployError for it, unless it is to be ignored."""
    if wish.abilities is None:
        return []
    resources = cloudformation.describe_stack_resources(StackName=name)["StackResources"]
    skipped = [
        f"{resource['LogicalResourceId']}: {resource['ResourceType']}: the emulator does not have this type of resource"
        for resource in resources
        if not is_supported(resource["ResourceType"], wish.abilities)
        and not any(f": {resource['LogicalResourceId']}: " in one for one in ignored)
    ]
    if skipped and not wish.ignore:
        raise DeployError("\n".join(skipped) + "\n--ignore-unsupported runs without it; the verdict is unknown then")
    return skipped


def _output(template: dict[str, Any], resource: str) -> dict[str, Any]:
    """Returns the output that has the value of a resource; where the resource is not made, none."""
    logical_id, _, attribute = resource.partition(".")
    condition = (template["Resources"].get(logical_id) or {}).get("Condition")
    value = {"Fn::GetAtt": [logical_id, attribute]} if attribute else {"Ref": logical_id}
    return {"Value": value} | ({"Condition": condition} if condition else {})


def update(
    clients: Clients,
    template_path: Path,
    parameters: Mapping[str, str],
    name: str,
    check: Callable[[], None] = lambda: None,
    abilities: Abilities | None = None,
) -> Stack:
    """Builds and uploads what the template names, and updates the stack to it; waits until that is complete. Parameters that are not given keep their values.

    Raises UsageError for a template or a parameter that is wrong, DeployError with the failed resources, also where nothing has changed."""
    cloudformation = clients("cloudformation")
    read = read_template(template_path)
    template = read.document
    before = cloudformation.describe_stacks(StackName=name)["Stacks"][0].get("Parameters", [])
    declared = template.get("Parameters") or {}
    kept = {item["ParameterKey"]: item["ParameterValue"] for item in before if item["ParameterKey"] in declared}
    check_parameters(template, template_path, kept | dict(parameters))
    storage = Artifacts(clients, name)
    body = Packager(storage, abilities).package(read, kept | dict(parameters))
    # The stack knows their values; those of NoEcho are not told.
    given = _given(parameters) + [{"ParameterKey": key, "UsePreviousValue": True} for key in kept if key not in parameters]
    try:
        cloudformation.update_stack(
            StackName=name, **_body(json.dumps(body), storage), Parameters=given, Capabilities=_CAPABILITIES
        )
    except ClientError as error:
        message = f"stack {name} was not updated: {error.response['Error']['Message']}"
        raise DeployError(message) from error
    return _complete(clients, name, template_path, "UPDATE", check)


def _body(text: str, storage: Artifacts) -> dict[str, str]:
    """Returns the template as CloudFormation takes it: a long one lies in a bucket."""
    content = text.encode()
    if len(content) <= _LONGEST_BODY:
        return {"TemplateBody": text}
    key = f"{hashlib.sha256(content).hexdigest()}.template"
    storage.put(key, content)
    return {"TemplateURL": storage.url(key)}


def _given(parameters: Mapping[str, str]) -> list[dict[str, Any]]:
    return [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]


def _complete(clients: Clients, name: str, template_path: Path, what: str, check: Callable[[], None]) -> Stack:
    """Waits until the stack is created or updated, as `what` says."""
    cloudformation = clients("cloudformation")
    timeout_s = _timeout_s(clients)
    deadline = time.monotonic() + timeout_s
    while True:
        check()
        stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        status = stack["StackStatus"]
        if status == f"{what}_COMPLETE":
            return Stack(name, {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])})
        if ("FAILED" in status or "ROLLBACK" in status) and not status.endswith("_IN_PROGRESS"):
            message = f"stack {name} of {template_path} did not deploy ({status}):{_reasons(cloudformation, name, stack)}"
            raise DeployError(message)
        if time.monotonic() > deadline:
            message = f"stack {name} of {template_path} is still {status} after {timeout_s} s"
            raise DeployError(message)
        time.sleep(_poll_s(clients))


def _timeout_s(clients: Clients) -> int:
    return _AWS_TIMEOUT_S if clients.aws else DEPLOY_TIMEOUT_S


def _poll_s(clients: Clients) -> float:
    return _AWS_POLL_S if clients.aws and not clients.endpoint else _POLL_S


def physical_names(clients: Clients, name: str) -> dict[str, str]:
    """Returns the physical name of each resource of the stack by its logical id."""
    pages = clients("cloudformation").get_paginator("list_stack_resources").paginate(StackName=name)
    return {
        resource["LogicalResourceId"]: resource["PhysicalResourceId"]
        for page in pages
        for resource in page["StackResourceSummaries"]
        if resource.get("PhysicalResourceId")
    }


def delete(clients: Clients, name: str) -> None:
    """Deletes the stack and the packages that were uploaded for it; its buckets are emptied first. Waits until it is gone.

    Raises DeployError where it does not go, and botocore's errors. On AWS, more belongs to it (harness/aws/teardown.py)."""
    cloudformation = clients("cloudformation")
    resources = cloudformation.describe_stack_resources(StackName=name)["StackResources"]
    for resource in resources:
        # One whose creation failed has no name.
        if resource["ResourceType"] == "AWS::S3::Bucket" and "PhysicalResourceId" in resource:
            empty_bucket(clients("s3"), resource["PhysicalResourceId"])
    with contextlib.suppress(ClientError):
        # Another run of the account may have taken it along.
        empty_bucket(clients("s3"), artifacts_bucket(clients, name))
        clients("s3").delete_bucket(Bucket=artifacts_bucket(clients, name))
    cloudformation.delete_stack(StackName=name)
    deadline = time.monotonic() + DEPLOY_TIMEOUT_S
    while time.monotonic() < deadline:
        try:
            stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
            if stack["StackStatus"] == "DELETE_COMPLETE":
                return
            if stack["StackStatus"] == "DELETE_FAILED":
                message = f"stack {name} was not deleted:{_reasons(cloudformation, name, stack)}"
                raise DeployError(message)
        except ClientError:
            return
        time.sleep(_POLL_S)
    message = f"stack {name} was not deleted within {DEPLOY_TIMEOUT_S} s"
    raise DeployError(message)


def is_empty(clients: Clients) -> bool:
    """Returns whether nothing is left in the account of what people make there: stacks, buckets, queues, streams, tables, functions."""
    stacks = clients("cloudformation").list_stacks()["StackSummaries"]
    left = [
        [stack for stack in stacks if stack["StackStatus"] != "DELETE_COMPLETE"],
        clients("s3").list_buckets()["Buckets"],
        clients("sqs").list_queues().get("QueueUrls"),
        clients("kinesis").list_streams()["StreamNames"],
        clients("dynamodb").list_tables()["TableNames"],
        clients("lambda").list_functions()["Functions"],
    ]
    return not any(left)


def empty_bucket(s3: Any, bucket: str) -> None:
    """Deletes all versions of all objects, and the parts of uploads that were not completed."""
    for page in s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket):
        for upload in page.get("Uploads", []):
            s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        versions = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        keys = [{"Key": item["Key"], "VersionId": item["VersionId"]} for item in versions]
        if keys:
            s3.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True})


def check_parameters(template: dict[str, Any], path: Path, parameters: Mapping[str, str]) -> None:
    """Raises UsageError for a parameter that the template does not have, and for one that has no value."""
    declared = template.get("Parameters") or {}
    unknown = sorted(set(parameters) - set(declared))
    if unknown:
        message = f"template {path} has no parameter {', '.join(unknown)}; it has {', '.join(sorted(declared)) or 'none'}"
        raise UsageError(message)
    missing = sorted(key for key, value in declared.items() if "Default" not in value and key not in parameters)
    if missing:
        message = f"template {path} needs a value for parameter {', '.join(missing)}: set it under stack.parameters"
        raise UsageError(message)


def _reasons(cloudformation: Any, name: str, stack: dict[str, Any]) -> str:
    events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    failed = {
        event["LogicalResourceId"]: event.get("ResourceStatusReason") or event["ResourceStatus"]
        for event in events
        if "FAILED" in event.get("ResourceStatus", "") and event["LogicalResourceId"] != name
    }
    lines = [f"\n  {logical_id}: {reason}" for logical_id, reason in sorted(failed.items())]
    return "".join(lines) or f" {stack.get('StackStatusReason', 'no reason was given')}"
