"""CloudFormation's authorizer of a REST API, which LocalStack has not.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-apigateway-authorizer.html
"""

from __future__ import annotations

from typing import Any, ClassVar

from botocore.exceptions import ClientError
from localstack.services.cloudformation.resource_provider import (
    CloudFormationResourceProviderPlugin,
    OperationStatus,
    ProgressEvent,
    ResourceProvider,
)

_PARAMETERS = {
    "Name": "name",
    "Type": "type",
    "ProviderARNs": "providerARNs",
    "AuthType": "authType",
    "AuthorizerUri": "authorizerUri",
    "AuthorizerCredentials": "authorizerCredentials",
    "IdentitySource": "identitySource",
    "IdentityValidationExpression": "identityValidationExpression",
    "AuthorizerResultTtlInSeconds": "authorizerResultTtlInSeconds",
}


class Authorizer(ResourceProvider):  # type: ignore[misc]
    TYPE = "AWS::ApiGateway::Authorizer"
    SCHEMA: ClassVar[dict[str, Any]] = {"primaryIdentifier": ["/properties/AuthorizerId"], "properties": {}}

    def create(self, request: Any) -> ProgressEvent:
        model = dict(request.desired_state)
        given = {name: model[key] for key, name in _PARAMETERS.items() if key in model}
        if "authorizerResultTtlInSeconds" in given:
            given["authorizerResultTtlInSeconds"] = int(given["authorizerResultTtlInSeconds"])
        try:
            made = request.aws_client_factory.apigateway.create_authorizer(restApiId=model["RestApiId"], **given)
        except ClientError as error:
            return _failed(model, error)
        return ProgressEvent(status=OperationStatus.SUCCESS, resource_model={**model, "AuthorizerId": made["id"]})

    def update(self, request: Any) -> ProgressEvent:
        model = {**request.desired_state, "AuthorizerId": request.previous_state["AuthorizerId"]}
        changes = [
            {"op": "replace", "path": f"/{name}", "value": str(model[key])} for key, name in _PARAMETERS.items() if key in model
        ]
        try:
            request.aws_client_factory.apigateway.update_authorizer(
                restApiId=model["RestApiId"],
                authorizerId=model["AuthorizerId"],
                patchOperations=[change for change in changes if change["path"] != "/providerARNs"],
            )
        except ClientError as error:
            return _failed(model, error)
        return ProgressEvent(status=OperationStatus.SUCCESS, resource_model=model)

    def delete(self, request: Any) -> ProgressEvent:
        model = request.desired_state
        try:
            request.aws_client_factory.apigateway.delete_authorizer(
                restApiId=model["RestApiId"], authorizerId=model["AuthorizerId"]
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "NotFoundException":
                return _failed(model, error)
        return ProgressEvent(status=OperationStatus.SUCCESS, resource_model={})


class AuthorizerPlugin(CloudFormationResourceProviderPlugin):  # type: ignore[misc]
    name = Authorizer.TYPE

    def __init__(self) -> None:
        self.factory: type[ResourceProvider] | None = None

    def load(self) -> None:
        self.factory = Authorizer


def _failed(model: dict[str, Any], error: ClientError) -> ProgressEvent:
    code = error.response["Error"]["Code"]
    return ProgressEvent(status=OperationStatus.FAILED, resource_model=model, message=str(error), error_code=code)
