"""Dashboards of CloudWatch in templates, which LocalStack has by API only.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudwatch-dashboard.html
"""

from __future__ import annotations

import contextlib
import json
from typing import Any, ClassVar

from botocore.exceptions import ClientError, ParamValidationError
from localstack.services.cloudformation.resource_provider import (
    CloudFormationResourceProviderPlugin,
    OperationStatus,
    ProgressEvent,
    ResourceProvider,
)


class Dashboard(ResourceProvider):  # type: ignore[misc]
    """A dashboard. `Ref` returns its name."""

    TYPE = "AWS::CloudWatch::Dashboard"
    SCHEMA: ClassVar[dict[str, Any]] = {
        "primaryIdentifier": ["/properties/DashboardName"],
        "createOnlyProperties": ["/properties/DashboardName"],
        "properties": {"DashboardName": {"type": "string"}, "DashboardBody": {"type": "string"}},
    }

    def create(self, request: Any) -> ProgressEvent:
        name = request.desired_state.get("DashboardName") or f"{request.stack_name}-{request.logical_resource_id}"
        return self._put(request, name)

    def update(self, request: Any) -> ProgressEvent:
        return self._put(request, request.previous_state["DashboardName"])

    def delete(self, request: Any) -> ProgressEvent:
        name = (request.previous_state or request.desired_state)["DashboardName"]
        # One that is gone already is deleted.
        with contextlib.suppress(request.aws_client_factory.cloudwatch.exceptions.DashboardNotFoundError):
            request.aws_client_factory.cloudwatch.delete_dashboards(DashboardNames=[name])
        return ProgressEvent(status=OperationStatus.SUCCESS, resource_model={})

    def _put(self, request: Any, name: str) -> ProgressEvent:
        model = {**request.desired_state, "DashboardName": name}
        try:
            json.loads(model["DashboardBody"])
            request.aws_client_factory.cloudwatch.put_dashboard(DashboardName=name, DashboardBody=model["DashboardBody"])
        except (ClientError, ParamValidationError, ValueError, KeyError) as error:
            message = f"the dashboard is not valid: {error}"
            return ProgressEvent(
                status=OperationStatus.FAILED, resource_model=model, message=message, error_code="InvalidParameterInput"
            )
        return ProgressEvent(status=OperationStatus.SUCCESS, resource_model=model)


class DashboardPlugin(CloudFormationResourceProviderPlugin):  # type: ignore[misc]
    name = Dashboard.TYPE

    def __init__(self) -> None:
        self.factory: type[ResourceProvider] | None = None

    def load(self) -> None:
        self.factory = Dashboard
