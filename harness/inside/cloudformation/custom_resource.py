"""Custom resources: a function or a topic is asked to create, update and delete them, and answers into S3.

LocalStack accepts them with a warning, and never asks. Source:
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref.html
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from botocore.exceptions import ClientError
from localstack.aws.connect import connect_to
from localstack.services.cloudformation.resource_provider import (
    CloudFormationResourceProviderPlugin,
    OperationStatus,
    ProgressEvent,
    ResourceProvider,
)
from localstack.utils.aws.arns import parse_arn
from localstack.utils.urls import localstack_host

TYPE = "AWS::CloudFormation::CustomResource"
_BUCKET = "cloudformation-custom-resource-response-{region}-{account}"
_URL_LIFE_S = 7200
DEFAULT_TIMEOUT_S = 3600


@dataclass(slots=True)
class _Deployed:
    """A custom resource as it was last answered."""

    physical_id: str
    properties: dict[str, Any]


_deployed: dict[tuple[str, str], _Deployed] = {}
"""By stack id and logical id."""


class CustomResourceProvider(ResourceProvider):  # type: ignore[misc]
    """LocalStack calls each method again and again, with the context that the call before returned, until it is done."""

    TYPE = TYPE
    SCHEMA = {"primaryIdentifier": ["/properties/PhysicalResourceId"], "properties": {}}  # noqa: RUF012

    def create(self, request: Any) -> ProgressEvent:
        return self._step(request, "Create")

    def update(self, request: Any) -> ProgressEvent:
        return self._step(request, "Update")

    def delete(self, request: Any) -> ProgressEvent:
        if (request.stack_id, request.logical_resource_id) not in _deployed:
            return ProgressEvent(status=OperationStatus.SUCCESS, resource_model={})
        return self._step(request, "Delete")

    def _step(self, request: Any, kind: str) -> ProgressEvent:
        if "request" not in request.custom_context:
            return self._ask(request, kind)
        asked = request.custom_context["request"]
        answer = _answer(request, asked["key"])
        if answer is None:
            if time.time() > asked["until_s"]:
                return _failed("CloudFormation did not receive a response from your Custom Resource.", asked["id"])
            return ProgressEvent(
                status=OperationStatus.IN_PROGRESS, resource_model=asked["properties"], custom_context={"request": asked}
            )
        return self._end(request, kind, asked, answer)

    def _ask(self, request: Any, kind: str) -> ProgressEvent:
        key = (request.stack_id, request.logical_resource_id)
        before = _deployed.get(key)
        given = {name: value for name, value in (request.desired_state or {}).items() if name != "PhysicalResourceId"}
        properties = before.properties if kind == "Delete" and before else _texts(given)
        token = str(properties.get("ServiceToken") or "")
        if not token:
            return _failed("ServiceToken is required for a custom resource", "")
        request_id = str(uuid4())
        event = {
            "RequestType": kind,
            "ServiceToken": token,
            "ResponseURL": _response_url(request, request_id),
            "StackId": request.stack_id,
            "RequestId": request_id,
            "LogicalResourceId": request.logical_resource_id,
            "ResourceType": request.resource_type,
            "ResourceProperties": properties,
        }
        if before is not None and kind != "Create":
            event["PhysicalResourceId"] = before.physical_id
        if before is not None and kind == "Update":
            event["OldResourceProperties"] = before.properties
        try:
            _send(request, token, event)
        except ClientError as error:
            return _failed(f"The ServiceToken {token} could not be reached: {error}", request_id)
        until_s = time.time() + float(properties.get("ServiceTimeout") or DEFAULT_TIMEOUT_S)
        asked = {"id": request_id, "key": request_id, "until_s": until_s, "properties": properties}
        return ProgressEvent(status=OperationStatus.IN_PROGRESS, resource_model=properties, custom_context={"request": asked})

    def _end(self, request: Any, kind: str, asked: dict[str, Any], answer: dict[str, Any]) -> ProgressEvent:
        key = (request.stack_id, request.logical_resource_id)
        if answer.get("Status") != "SUCCESS":
            return _failed(
                f"Received response status [FAILED] from custom resource. Message returned: {answer.get('Reason', '')}", asked["id"]
            )
        before = _deployed.get(key)
        if kind == "Delete":
            _deployed.pop(key, None)
            return ProgressEvent(status=OperationStatus.SUCCESS, resource_model={})
        physical_id = str(answer.get("PhysicalResourceId") or (before.physical_id if before else request.logical_resource_id))
        _deployed[key] = _Deployed(physical_id, asked["properties"])
        if kind == "Update" and before is not None and before.physical_id != physical_id:
            # Another id is another resource: the one before it goes.
            _send(request, str(before.properties["ServiceToken"]), self._farewell(request, before))
        data = answer.get("Data") or {}
        return ProgressEvent(
            status=OperationStatus.SUCCESS, resource_model={**asked["properties"], **data, "PhysicalResourceId": physical_id}
        )

    @staticmethod
    def _farewell(request: Any, before: _Deployed) -> dict[str, Any]:
        request_id = str(uuid4())
        return {
            "RequestType": "Delete",
            "ServiceToken": before.properties["ServiceToken"],
            "ResponseURL": _response_url(request, request_id),
            "StackId": request.stack_id,
            "RequestId": request_id,
            "LogicalResourceId": request.logical_resource_id,
            "ResourceType": request.resource_type,
            "ResourceProperties": before.properties,
            "PhysicalResourceId": before.physical_id,
        }


class CustomResourcePlugin(CloudFormationResourceProviderPlugin):  # type: ignore[misc]
    """The entry point `AWS::CloudFormation::CustomResource`; LocalStack maps every `Custom::…` to it."""

    name = TYPE

    def __init__(self) -> None:
        self.factory: type[ResourceProvider] | None = None

    def load(self) -> None:
        self.factory = CustomResourceProvider


def _texts(value: Any) -> Any:
    """Returns properties as CloudFormation sends them: every value is a string."""
    if isinstance(value, dict):
        return {key: _texts(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_texts(member) for member in value]
    return str(value).lower() if isinstance(value, bool) else str(value)


def _clients(request: Any) -> Any:
    return connect_to(aws_access_key_id=request.account_id, region_name=request.region_name)


def _bucket(request: Any) -> str:
    return _BUCKET.format(region=request.region_name, account=request.account_id)


def _response_url(request: Any, key: str) -> str:
    """Returns a presigned URL that the function puts its answer to."""
    s3 = connect_to(
        aws_access_key_id=request.account_id, region_name=request.region_name, endpoint_url=f"http://{localstack_host()}"
    ).s3
    options = (
        {} if request.region_name == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": request.region_name}}
    )
    _clients(request).s3.create_bucket(Bucket=_bucket(request), **options)
    return str(s3.generate_presigned_url("put_object", Params={"Bucket": _bucket(request), "Key": key}, ExpiresIn=_URL_LIFE_S))


def _send(request: Any, token: str, event: dict[str, Any]) -> None:
    if parse_arn(token)["service"] == "sns":
        _clients(request).sns.publish(
            TopicArn=token, Message=json.dumps(event), Subject="AWS CloudFormation custom resource request"
        )
    else:
        _clients(request).lambda_.invoke(FunctionName=token, InvocationType="Event", Payload=json.dumps(event).encode())


def _answer(request: Any, key: str) -> dict[str, Any] | None:
    s3 = _clients(request).s3
    try:
        body = s3.get_object(Bucket=_bucket(request), Key=key)["Body"].read()
    except ClientError:
        return None
    s3.delete_object(Bucket=_bucket(request), Key=key)
    try:
        answer = json.loads(body)
    except ValueError:
        return {"Status": "FAILED", "Reason": "Invalid response from the custom resource: it is not JSON"}
    return answer if isinstance(answer, dict) else {"Status": "FAILED", "Reason": "Invalid response from the custom resource"}


def _failed(message: str, request_id: str) -> ProgressEvent:
    return ProgressEvent(
        status=OperationStatus.FAILED,
        resource_model={},
        message=f"{message} (RequestId: {request_id})",
        error_code="CustomResource",
    )
