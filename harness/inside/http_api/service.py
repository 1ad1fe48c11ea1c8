"""The operations of API Gateway's second version that moto has not, or only pretends. What a deployment would publish is there at once.

Source: https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from localstack.aws.api import CommonServiceException
from localstack.services.moto import call_moto
from moto.apigatewayv2.models import apigatewayv2_backends

from harness.inside.http_api import openapi
from harness.inside.http_api.routes import DEFAULT

if TYPE_CHECKING:
    from localstack.aws.api import RequestContext

_deployments: dict[str, dict[str, dict[str, Any]]] = {}
"""By API and deployment."""


def create_api(context: RequestContext, request: Any) -> Any:
    """Answers CreateApi. With Target it has a route, a stage $default and their integration at once."""
    answer = call_moto(context)
    if target := request.get("Target"):
        api = _api(context, answer["ApiId"])
        kind = "HTTP_PROXY" if target.startswith("http") else "AWS_PROXY"
        integration = api.create_integration(
            connection_type="INTERNET", description=None, integration_method="ANY" if kind == "HTTP_PROXY" else "POST",
            integration_type=kind, integration_uri=target, payload_format_version="1.0" if kind == "HTTP_PROXY" else "2.0",
            credentials_arn=request.get("CredentialsArn"),
        )  # fmt: skip
        api.create_route(
            api_key_required=False, authorization_scopes=[], route_key=request.get("RouteKey") or DEFAULT,
            target=f"integrations/{integration.id}",
        )  # fmt: skip
        api.create_stage({"stageName": DEFAULT, "autoDeploy": True})
    return answer


def import_api(context: RequestContext, request: Any) -> Any:
    """Answers ImportApi."""
    document = openapi.read(request["Body"])
    api = apigatewayv2_backends[context.account_id][context.region].create_api(
        api_key_selection_expression=None, cors_configuration=None, description=(document.get("info") or {}).get("description"),
        disable_schema_validation=None, disable_execute_api_endpoint=None, name=str((document.get("info") or {}).get("title", "")),
        protocol_type="HTTP", route_selection_expression=None, tags={}, version=None,
    )  # fmt: skip
    openapi.fill(api, document)
    return _told(api.to_json())


def reimport_api(context: RequestContext, request: Any) -> Any:
    """Answers ReimportApi: what the API was before goes, but for its stages."""
    document, api = openapi.read(request["Body"]), _api(context, request["ApiId"])
    stages = dict(api.stages)
    api.clear()
    api.stages.update(stages)
    openapi.fill(api, document)
    return _told(api.to_json())


def update_stage(context: RequestContext, request: Any) -> Any:
    """Answers UpdateStage."""
    api = _api(context, request["ApiId"])
    stage = api.stages.get(request["StageName"])
    if stage is None:
        raise _unknown("stage", request["StageName"])
    for name in ("DefaultRouteSettings", "RouteSettings"):
        if name in request:
            settings = request[name] or {}
            is_of_routes = name == "RouteSettings"
            lowered = {key: _lower(value) for key, value in settings.items()} if is_of_routes else _lower(settings)
            setattr(stage, "route_settings" if is_of_routes else "default_route_settings", lowered)
    if "StageVariables" in request:
        stage.stage_variables = dict(request["StageVariables"] or {})
    stage.updated = datetime.now()  # noqa: DTZ005 - as moto has it
    return _told(stage.to_json())


def create_deployment(context: RequestContext, request: Any) -> Any:
    """Answers CreateDeployment."""
    api = _api(context, request["ApiId"])
    made: dict[str, Any] = {
        "DeploymentId": uuid4().hex[:10],
        "DeploymentStatus": "DEPLOYED",
        "CreatedDate": datetime.now(UTC),
        "AutoDeployed": False,
    }
    _deployments.setdefault(api.api_id, {})[made["DeploymentId"]] = made
    return made


def get_deployment(context: RequestContext, request: Any) -> Any:
    """Answers GetDeployment."""
    api = _api(context, request["ApiId"])
    if request["DeploymentId"] not in _deployments.get(api.api_id, {}):
        raise _unknown("deployment", request["DeploymentId"])
    return _deployments[api.api_id][request["DeploymentId"]]


def get_deployments(context: RequestContext, request: Any) -> Any:
    """Answers GetDeployments."""
    return {"Items": list(_deployments.get(_api(context, request["ApiId"]).api_id, {}).values())}


def delete_deployment(context: RequestContext, request: Any) -> Any:
    """Answers DeleteDeployment."""
    _deployments.get(_api(context, request["ApiId"]).api_id, {}).pop(request["DeploymentId"], None)
    return {}


OPERATIONS = {
    "CreateApi": create_api,
    "ImportApi": import_api,
    "ReimportApi": reimport_api,
    "UpdateStage": update_stage,
    "CreateDeployment": create_deployment,
    "GetDeployment": get_deployment,
    "GetDeployments": get_deployments,
    "DeleteDeployment": delete_deployment,
}


def _api(context: RequestContext, api_id: str) -> Any:
    apis = apigatewayv2_backends[context.account_id][context.region].apis
    if api_id not in apis:
        raise _unknown("API", api_id)
    return apis[api_id]


def _unknown(what: str, name: str) -> CommonServiceException:
    return CommonServiceException(
        "NotFoundException", f"Invalid {what} identifier specified {name}", status_code=404, sender_fault=True
    )


def _lower(members: dict[str, Any]) -> dict[str, Any]:
    return {name[0].lower() + name[1:]: value for name, value in members.items()}


def _told(described: dict[str, Any]) -> dict[str, Any]:
    """Returns moto's description with the names of the API."""
    plain = json.loads(json.dumps(described, default=str))
    told = {name[0].upper() + name[1:]: value for name, value in plain.items()}
    for name in ("CorsConfiguration", "DefaultRouteSettings"):
        if isinstance(told.get(name), dict):
            told[name] = {key[0].upper() + key[1:]: value for key, value in told[name].items()}
    if isinstance(told.get("RouteSettings"), dict):
        told["RouteSettings"] = {
            key: {n[0].upper() + n[1:]: v for n, v in value.items()} for key, value in told["RouteSettings"].items()
        }
    return told
