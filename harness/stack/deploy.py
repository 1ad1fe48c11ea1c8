"""Deploys a SAM template to an emulator and deletes it again. SAM's transform runs inside LocalStack."""

from __future__ import annotations

import contextlib
import copy
import functools
import hashlib
import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from harness.errors import DeployError, UsageError
from harness.stack.build import build_package
from harness.stack.runtimes import replaced, value_of
from harness.stack.template import load_template, read_template, resources_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from harness.emulator.clients import Clients

_ARTIFACTS = "pipeproof-artifacts"
_ASKED = "PipeproofAsked"
DEPLOY_TIMEOUT_S = 300
_POLL_S = 0.05
_CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]

# Properties that name local files: resource type -> property.
_LOCAL_CODE = {
    "AWS::Serverless::Function": "CodeUri",
    "AWS::Serverless::LayerVersion": "ContentUri",
    "AWS::Lambda::Function": "Code",
}
_LOCAL_DEFINITION = {"AWS::Serverless::StateMachine": "DefinitionUri", "AWS::Serverless::Api": "DefinitionUri"}


@dataclass(frozen=True, slots=True)
class Stack:
    """A deployed stack, its outputs, the values of the resources that were asked for, and the runtimes of its functions that run on another one."""

    name: str
    outputs: Mapping[str, str]
    resources: Mapping[str, str] = field(default_factory=dict)
    runtimes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a stack is to tell of its resources: LOGICAL_ID as Ref has it, or LOGICAL_ID.ATTRIBUTE. And the Python that all its functions in Python run on;
    None where each has the one that it names, and `strict` refuses any other."""

    resources: Sequence[str] = ()
    python: str | None = None
    strict: bool = False


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
    node, template = read_template(template_path)
    _check_parameters(template, template_path, parameters)
    values = _values(template, parameters)
    runtimes = replaced(template_path, template, node, values, wish.python, strict=wish.strict) if wish.python else {}
    body = _package(clients, template, template_path, values, wish.python)
    # CloudFormation knows them: it evaluates an output for each.
    asking = {f"{_ASKED}{number}": _output(template, resource) for number, resource in enumerate(wish.resources)}
    body["Outputs"] = (body.get("Outputs") or {}) | asking
    cloudformation = clients("cloudformation")
    given = _given(parameters)
    cloudformation.create_stack(StackName=name, TemplateBody=json.dumps(body), Parameters=given, Capabilities=_CAPABILITIES)
    stack = _complete(cloudformation, name, template_path, "CREATE", check)
    outputs = dict(stack.outputs)
    told = {resource: outputs.pop(output) for output, resource in zip(asking, wish.resources, strict=True) if output in outputs}
    return Stack(name, outputs, told, runtimes)


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
    python: str | None = None,
) -> Stack:
    """Builds and uploads what the template names, and updates the stack to it; waits until that is complete. Parameters that are not given keep their values.

    Raises UsageError for a template or a parameter that is wrong, DeployError with the failed resources, also where nothing has changed."""
    cloudformation = clients("cloudformation")
    template = load_template(template_path)
    before = cloudformation.describe_stacks(StackName=name)["Stacks"][0].get("Parameters", [])
    declared = template.get("Parameters") or {}
    kept = {item["ParameterKey"]: item["ParameterValue"] for item in before if item["ParameterKey"] in declared}
    _check_parameters(template, template_path, kept | dict(parameters))
    body = _package(clients, template, template_path, _values(template, kept | dict(parameters)), python)
    # The stack knows their values; those of NoEcho are not told.
    given = _given(parameters) + [{"ParameterKey": key, "UsePreviousValue": True} for key in kept if key not in parameters]
    try:
        cloudformation.update_stack(StackName=name, TemplateBody=json.dumps(body), Parameters=given, Capabilities=_CAPABILITIES)
    except ClientError as error:
        message = f"stack {name} was not updated: {error.response['Error']['Message']}"
        raise DeployError(message) from error
    return _complete(cloudformation, name, template_path, "UPDATE", check)


def _given(parameters: Mapping[str, str]) -> list[dict[str, Any]]:
    return [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]


def _complete(cloudformation: Any, name: str, template_path: Path, what: str, check: Callable[[], None]) -> Stack:
    """Waits until the stack is created or updated, as `what` says."""
    deadline = time.monotonic() + DEPLOY_TIMEOUT_S
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
            message = f"stack {name} of {template_path} is still {status} after {DEPLOY_TIMEOUT_S} s"
            raise DeployError(message)
        time.sleep(_POLL_S)


def physical_names(clients: Clients, name: str) -> dict[str, str]:
    """Returns the physical name of each resource of the stack by its logical id."""
    resources = clients("cloudformation").describe_stack_resources(StackName=name)["StackResources"]
    return {
        resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in resources if "PhysicalResourceId" in resource
    }


def delete(clients: Clients, name: str) -> None:
    """Deletes the stack and the packages that were uploaded for it; its buckets are emptied first. Waits until it is gone."""
    cloudformation = clients("cloudformation")
    resources = cloudformation.describe_stack_resources(StackName=name)["StackResources"]
    for resource in resources:
        # One whose creation failed has no name.
        if resource["ResourceType"] == "AWS::S3::Bucket" and "PhysicalResourceId" in resource:
            _empty(clients("s3"), resource["PhysicalResourceId"])
    with contextlib.suppress(ClientError):
        # Another run of the account may have taken it along.
        _empty(clients("s3"), _artifacts(clients))
        clients("s3").delete_bucket(Bucket=_artifacts(clients))
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


def _artifacts(clients: Clients) -> str:
    return f"{_ARTIFACTS}-{clients.account}"


def _empty(s3: Any, bucket: str) -> None:
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        versions = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        keys = [{"Key": item["Key"], "VersionId": item["VersionId"]} for item in versions]
        if keys:
            s3.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True})


def _check_parameters(template: dict[str, Any], path: Path, parameters: Mapping[str, str]) -> None:
    declared = template.get("Parameters") or {}
    unknown = sorted(set(parameters) - set(declared))
    if unknown:
        message = f"template {path} has no parameter {', '.join(unknown)}; it has {', '.join(sorted(declared)) or 'none'}"
        raise UsageError(message)
    missing = sorted(key for key, value in declared.items() if "Default" not in value and key not in parameters)
    if missing:
        message = f"template {path} needs a value for parameter {', '.join(missing)}: set it under stack.parameters"
        raise UsageError(message)


def _values(template: dict[str, Any], parameters: Mapping[str, str]) -> dict[str, Any]:
    """Returns the values of all parameters of a template."""
    return {key: declared.get("Default") for key, declared in (template.get("Parameters") or {}).items()} | dict(parameters)


def _package(
    clients: Clients, template: dict[str, Any], path: Path, values: Mapping[str, Any], python: str | None
) -> dict[str, Any]:
    """Returns the template with its local paths replaced by uploaded artifacts. What is in Python is built for this one, if any."""
    template = copy.deepcopy(template)
    common = (template.get("Globals") or {}).get("Function") or {}
    s3 = clients("s3")
    # Names of buckets are those of all accounts.
    bucket = _artifacts(clients)
    s3.create_bucket(Bucket=bucket)
    # The functions of a stack mostly share their package.
    build = functools.cache(build_package)
    uploaded: dict[Path, str] = {}
    for logical_id, resource in resources_of(template).items():
        properties = resource["Properties"] = resource.get("Properties") or {}
        kind = resource["Type"]
        inherited = common if kind == "AWS::Serverless::Function" else {}
        if (
            (key := _LOCAL_CODE.get(kind))
            and isinstance(code := properties.get(key, inherited.get(key)), str)
            and "://" not in code
        ):
            runtime, folder = str(value_of(properties.get("Runtime", inherited.get("Runtime", "")), values)), ""
            method = (resource.get("Metadata") or {}).get("BuildMethod")
            if kind == "AWS::Serverless::LayerVersion" and str(method).startswith("python"):
                # https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/building-layers.html
                runtime, folder = str(method), "python"
            if python and runtime.startswith("python"):
                runtime = python
            try:
                package = build((path.parent / code).resolve(), runtime, folder)
            except (UsageError, OSError, RuntimeError, ValueError) as error:
                # Besides a UsageError: a path with a NUL in it, one that is too long, or links that lead in a circle.
                raise UsageError(f"{path}: {logical_id}: {error}") from error
            if package not in uploaded:
                uploaded[package] = f"{hashlib.sha256(package.read_bytes()).hexdigest()}.zip"
                s3.upload_file(str(package), bucket, uploaded[package])
            location = {"Bucket": bucket, "Key": uploaded[package]}
            properties[key] = (
                {"S3Bucket": location["Bucket"], "S3Key": location["Key"]} if kind == "AWS::Lambda::Function" else location
            )
        elif (key := _LOCAL_DEFINITION.get(kind)) and isinstance(file := properties.get(key), str) and "://" not in file:
            name = f"{logical_id}-{file.replace('/', '_')}"
            try:
                s3.put_object(Bucket=bucket, Key=name, Body=(path.parent / file).read_bytes())
            except OSError as error:
                message = f"{path}: {logical_id}: {key} {file}: {error.strerror}"
                raise UsageError(message) from error
            properties[key] = {"Bucket": bucket, "Key": name}
    if isinstance(common.get("CodeUri"), str):
        # Every function has its own by now.
        del common["CodeUri"]
    return template


def _reasons(cloudformation: Any, name: str, stack: dict[str, Any]) -> str:
    events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    failed = {
        event["LogicalResourceId"]: event.get("ResourceStatusReason") or event["ResourceStatus"]
        for event in events
        if "FAILED" in event.get("ResourceStatus", "") and event["LogicalResourceId"] != name
    }
    lines = [f"\n  {logical_id}: {reason}" for logical_id, reason in sorted(failed.items())]
    return "".join(lines) or f" {stack.get('StackStatusReason', 'no reason was given')}"
