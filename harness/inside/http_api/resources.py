"""CloudFormation's resources of HTTP APIs.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_ApiGatewayV2.html
"""

from __future__ import annotations

import json
from typing import Any, ClassVar

from botocore.exceptions import BotoCoreError, ClientError
from localstack.services.cloudformation.resource_provider import (
    CloudFormationResourceProviderPlugin,
    OperationStatus,
    ProgressEvent,
    ResourceProvider,
)


class _Resource(ResourceProvider):  # type: ignore[misc]
    """Creates, updates and deletes by the operations Create…, Update… and Delete… of its kind, whose parameters have the names of its properties."""

    KIND: ClassVar[str]
    IDENTIFIER: ClassVar[str]

    def create(self, request: Any) -> ProgressEvent:
        model = dict(request.desired_state)
        return self._done(request, model, lambda client: self._create(client, model))

    def update(self, request: Any) -> ProgressEvent:
        before, model = request.previous_state or {}, dict(request.desired_state)
        model[self.IDENTIFIER] = before[self.IDENTIFIER]
        return self._done(request, model, lambda client: self._update(client, model))

    def delete(self, request: Any) -> ProgressEvent:
        model = request.desired_state
        return self._done(request, model, lambda client: self._delete(client, model))

    def _create(self, client: Any, model: dict[str, Any]) -> dict[str, Any]:
        return self._call(client, "create", model)

    def _update(self, client: Any, model: dict[str, Any]) -> dict[str, Any]:
        return self._call(client, "update", model)

    def _delete(self, client: Any, model: dict[str, Any]) -> dict[str, Any]:
        self._call(client, "delete", model)
        return {}

    def _call(self, client: Any, verb: str, model: dict[str, Any]) -> dict[str, Any]:
        operation = f"{verb}_{self.KIND}"
        known = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[operation]).input_shape.members
        return dict(
            getattr(client, operation)(**{name: _typed(known[name], value) for name, value in model.items() if name in known})
        )

    @staticmethod
    def _done(request: Any, model: dict[str, Any], work: Any) -> ProgressEvent:
        try:
            answer = work(request.aws_client_factory.apigatewayv2)
        except ClientError as error:
            if request.action == "Remove" and error.response["Error"]["Code"] == "NotFoundException":
                return ProgressEvent(status=OperationStatus.SUCCESS, resource_model={})
            return ProgressEvent(
                status=OperationStatus.FAILED, resource_model=model, message=str(error), error_code=error.response["Error"]["Code"]
            )
        except BotoCoreError as error:
            return ProgressEvent(
                status=OperationStatus.FAILED, resource_model=model, message=str(error), error_code="InvalidRequest"
            )
        answer.pop("ResponseMetadata", None)
        return ProgressEvent(status=OperationStatus.SUCCESS, resource_model={**answer, **model})


def _typed(shape: Any, value: Any) -> Any:
    """Returns a property as the API takes it: templates may give numbers and booleans as texts."""
    match shape.type_name, value:
        case "structure", dict():
            return {name: _typed(shape.members[name], member) for name, member in value.items() if name in shape.members}
        case "map", dict():
            return {str(name): _typed(shape.value, member) for name, member in value.items()}
        case "list", list():
            return [_typed(shape.member, member) for member in value]
        case "integer" | "long", str():
            return int(value)
        case "double" | "float", int() | str():
            return float(value)
        case "boolean", str():
            return value.lower() == "true"
        case "string", bool():
            return str(value).lower()
        case "string", int() | float():
            return str(value)
    return value


class Api(_Resource):
    TYPE, KIND, IDENTIFIER = "AWS::ApiGatewayV2::Api", "api", "ApiId"
    SCHEMA: ClassVar[dict[str, Any]] = {"primaryIdentifier": ["/properties/ApiId"], "properties": {}}

    def _create(self, client: Any, model: dict[str, Any]) -> dict[str, Any]:
        if "Body" in model:
            return dict(client.import_api(Body=json.dumps(model["Body"])))
        return self._call(client, "create", model)

    def _update(self, client: Any, model: dict[str, Any]) -> dict[str, Any]:
        if "Body" in model:
            return dict(client.reimport_api(ApiId=model["ApiId"], Body=json.dumps(model["Body"])))
        return self._call(client, "update", model)


class Stage(_Resource):
    TYPE, KIND, IDENTIFIER = "AWS::ApiGatewayV2::Stage", "stage", "StageName"
    SCHEMA: ClassVar[dict[str, Any]] = {"primaryIdentifier": ["/properties/StageName"], "properties": {}}


class Route(_Resource):
    TYPE, KIND, IDENTIFIER = "AWS::ApiGatewayV2::Route", "route", "RouteId"
    SCHEMA: ClassVar[dict[str, Any]] = {"primaryIdentifier": ["/properties/RouteId"], "properties": {}}


class Integration(_Resource):
    TYPE, KIND, IDENTIFIER = "AWS::ApiGatewayV2::Integration", "integration", "IntegrationId"
    SCHEMA: ClassVar[dict[str, Any]] = {"primaryIdentifier": ["/properties/IntegrationId"], "properties": {}}


class Authorizer(_Resource):
    TYPE, KIND, IDENTIFIER = "AWS::ApiGatewayV2::Authorizer", "authorizer", "AuthorizerId"
    SCHEMA: ClassVar[dict[str, Any]] = {"primaryIdentifier": ["/properties/AuthorizerId"], "properties": {}}


class Deployment(_Resource):
    TYPE, KIND, IDENTIFIER = "AWS::ApiGatewayV2::Deployment", "deployment", "DeploymentId"
    SCHEMA: ClassVar[dict[str, Any]] = {"primaryIdentifier": ["/properties/DeploymentId"], "properties": {}}


class _Plugin(CloudFormationResourceProviderPlugin):  # type: ignore[misc]
    FACTORY: ClassVar[type[ResourceProvider]]

    def __init__(self) -> None:
        self.factory: type[ResourceProvider] | None = None

    def load(self) -> None:
        self.factory = self.FACTORY


class ApiPlugin(_Plugin):
    name, FACTORY = Api.TYPE, Api


class StagePlugin(_Plugin):
    name, FACTORY = Stage.TYPE, Stage


class RoutePlugin(_Plugin):
    name, FACTORY = Route.TYPE, Route


class IntegrationPlugin(_Plugin):
    name, FACTORY = Integration.TYPE, Integration


class AuthorizerPlugin(_Plugin):
    name, FACTORY = Authorizer.TYPE, Authorizer


class DeploymentPlugin(_Plugin):
    name, FACTORY = Deployment.TYPE, Deployment
