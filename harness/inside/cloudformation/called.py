"""Resources of templates that are one call of an API: those that LocalStack has by API only, and two of which its own provider is wrong.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/introduction.html
"""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any, ClassVar

from botocore.exceptions import ClientError, ParamValidationError
from localstack.services.cloudformation.resource_provider import (
    CloudFormationResourceProviderPlugin,
    OperationStatus,
    ProgressEvent,
    ResourceProvider,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


class _Called(ResourceProvider):  # type: ignore[misc]
    """A resource that has a name, and that `create`, `update` and `delete` of a client make, change and remove."""

    NAME: ClassVar[str]
    SERVICE: ClassVar[str]
    CALLS: ClassVar[tuple[str, str, str]]

    def create(self, request: Any) -> ProgressEvent:
        default = f"{request.stack_name}-{request.logical_resource_id}"
        return self._call(request, self.CALLS[0], {self.NAME: default, **request.desired_state})

    def update(self, request: Any) -> ProgressEvent:
        name = request.previous_state[self.NAME]
        return self._call(request, self.CALLS[1], {**request.desired_state, self.NAME: name})

    def delete(self, request: Any) -> ProgressEvent:
        model = request.previous_state or request.desired_state
        # One that is gone already is deleted.
        with contextlib.suppress(ClientError):
            self._of(request, self.CALLS[2])(**self.named(model))
        return ProgressEvent(status=OperationStatus.SUCCESS, resource_model={})

    def _call(self, request: Any, operation: str, model: dict[str, Any]) -> ProgressEvent:
        try:
            answer = self._of(request, operation)(**self.request(model))
        except (ClientError, ParamValidationError, KeyError, TypeError, ValueError) as error:
            return ProgressEvent(
                status=OperationStatus.FAILED, resource_model=model, message=str(error), error_code="InvalidParameterInput"
            )
        return ProgressEvent(status=OperationStatus.SUCCESS, resource_model={**model, **self.told(answer)})

    def _of(self, request: Any, operation: str) -> Any:
        return getattr(getattr(request.aws_client_factory, self.SERVICE), operation)

    def request(self, model: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the arguments of create and update."""
        return dict(model)

    def named(self, model: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the arguments of delete."""
        return {self.NAME: model[self.NAME]}

    def told(self, answer: Mapping[str, Any]) -> dict[str, Any]:
        """Returns what Fn::GetAtt has of the answer."""
        return {"Arn": answer["Arn"]} if "Arn" in answer else {}


class MetricFilter(_Called):
    TYPE = "AWS::Logs::MetricFilter"
    NAME, SERVICE, CALLS = "FilterName", "logs", ("put_metric_filter", "put_metric_filter", "delete_metric_filter")
    SCHEMA: ClassVar[dict[str, Any]] = {
        "primaryIdentifier": ["/properties/FilterName"],
        "createOnlyProperties": ["/properties/FilterName", "/properties/LogGroupName"],
        "properties": {"FilterName": {"type": "string"}},
    }

    def request(self, model: Mapping[str, Any]) -> dict[str, Any]:
        return {
            **self.named(model),
            "filterPattern": model.get("FilterPattern", ""),
            "metricTransformations": [_transformation(one) for one in model["MetricTransformations"]],
        }

    def named(self, model: Mapping[str, Any]) -> dict[str, Any]:
        return {"logGroupName": model["LogGroupName"], "filterName": model["FilterName"]}


def _transformation(one: Mapping[str, Any]) -> dict[str, Any]:
    found = {name[0].lower() + name[1:]: value for name, value in one.items()}
    if "defaultValue" in found:
        found["defaultValue"] = float(found["defaultValue"])
    if "dimensions" in found:
        found["dimensions"] = {pair["Key"]: pair["Value"] for pair in found["dimensions"]}
    return found | {"metricValue": str(found["metricValue"])}


class Pipe(_Called):
    TYPE = "AWS::Pipes::Pipe"
    NAME, SERVICE, CALLS = "Name", "pipes", ("create_pipe", "update_pipe", "delete_pipe")
    SCHEMA: ClassVar[dict[str, Any]] = {
        "primaryIdentifier": ["/properties/Name"],
        "createOnlyProperties": ["/properties/Name", "/properties/Source"],
        "properties": {"Name": {"type": "string"}, "Arn": {"type": "string"}},
    }

    def request(self, model: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in model.items() if name != "Arn"}


class Archive(_Called):
    TYPE = "AWS::Events::Archive"
    NAME, SERVICE, CALLS = "ArchiveName", "events", ("create_archive", "update_archive", "delete_archive")
    SCHEMA: ClassVar[dict[str, Any]] = {
        "primaryIdentifier": ["/properties/ArchiveName"],
        "createOnlyProperties": ["/properties/ArchiveName", "/properties/SourceArn"],
        "properties": {"ArchiveName": {"type": "string"}, "Arn": {"type": "string"}},
    }

    def request(self, model: Mapping[str, Any]) -> dict[str, Any]:
        found = {name: model[name] for name in ("ArchiveName", "Description", "RetentionDays") if name in model}
        if "EventPattern" in model:
            pattern = model["EventPattern"]
            found["EventPattern"] = pattern if isinstance(pattern, str) else json.dumps(pattern)
        return found | {"EventSourceArn": model["SourceArn"]}

    def told(self, answer: Mapping[str, Any]) -> dict[str, Any]:
        return {"Arn": answer["ArchiveArn"]}


class RolePolicy(_Called):
    TYPE = "AWS::IAM::RolePolicy"
    NAME, SERVICE, CALLS = "PolicyName", "iam", ("put_role_policy", "put_role_policy", "delete_role_policy")
    SCHEMA: ClassVar[dict[str, Any]] = {
        "primaryIdentifier": ["/properties/PolicyName", "/properties/RoleName"],
        "createOnlyProperties": ["/properties/PolicyName", "/properties/RoleName"],
        "properties": {"PolicyName": {"type": "string"}, "RoleName": {"type": "string"}},
    }

    def request(self, model: Mapping[str, Any]) -> dict[str, Any]:
        return {**self.named(model), "PolicyDocument": json.dumps(model["PolicyDocument"])}

    def named(self, model: Mapping[str, Any]) -> dict[str, Any]:
        return {"RoleName": model["RoleName"], "PolicyName": model["PolicyName"]}


class SubscriptionFilter(_Called):
    """LocalStack's own provider gives every filter the name of its log group, so a second filter replaces the first."""

    TYPE = "AWS::Logs::SubscriptionFilter"
    NAME, SERVICE, CALLS = (
        "FilterName",
        "logs",
        ("put_subscription_filter", "put_subscription_filter", "delete_subscription_filter"),
    )

    def request(self, model: Mapping[str, Any]) -> dict[str, Any]:
        names = {
            "FilterPattern": "filterPattern",
            "DestinationArn": "destinationArn",
            "RoleArn": "roleArn",
            "Distribution": "distribution",
        }
        return {
            "filterPattern": "",
            **self.named(model),
            **{theirs: model[name] for name, theirs in names.items() if name in model},
        }

    def named(self, model: Mapping[str, Any]) -> dict[str, Any]:
        return {"logGroupName": model["LogGroupName"], "filterName": model["FilterName"]}


class EmailIdentity(_Called):
    """LocalStack's own provider raises NotImplementedError. This one verifies the address or the domain at once, because nobody opens the link."""

    TYPE = "AWS::SES::EmailIdentity"
    NAME, SERVICE, CALLS = "EmailIdentity", "ses", ("verify_email_identity", "verify_email_identity", "delete_identity")

    def _call(self, request: Any, operation: str, model: dict[str, Any]) -> ProgressEvent:
        return super()._call(request, operation if "@" in str(model.get(self.NAME)) else "verify_domain_identity", model)

    def request(self, model: Mapping[str, Any]) -> dict[str, Any]:
        identity = model[self.NAME]
        return {"EmailAddress" if "@" in identity else "Domain": identity}

    def named(self, model: Mapping[str, Any]) -> dict[str, Any]:
        return {"Identity": model[self.NAME]}

    def told(self, _answer: Mapping[str, Any]) -> dict[str, Any]:
        return {}


INSTEAD: dict[str, type[_Called]] = {one.TYPE: one for one in (SubscriptionFilter, EmailIdentity)}
"""What is used in place of LocalStack's own provider."""


class _Plugin(CloudFormationResourceProviderPlugin):  # type: ignore[misc]
    PROVIDER: ClassVar[type[ResourceProvider]]

    def __init__(self) -> None:
        self.factory: type[ResourceProvider] | None = None

    def load(self) -> None:
        self.factory = self.PROVIDER


class MetricFilterPlugin(_Plugin):
    PROVIDER, name = MetricFilter, MetricFilter.TYPE


class PipePlugin(_Plugin):
    PROVIDER, name = Pipe, Pipe.TYPE


class ArchivePlugin(_Plugin):
    PROVIDER, name = Archive, Archive.TYPE


class RolePolicyPlugin(_Plugin):
    PROVIDER, name = RolePolicy, RolePolicy.TYPE
