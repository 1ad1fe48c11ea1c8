"""An HTTP API from an OpenAPI 3 document with API Gateway's extensions.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-open-api.html
"""

from __future__ import annotations

from typing import Any

import yaml
from localstack.aws.api import CommonServiceException

from harness.inside.http_api.routes import DEFAULT

_METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}
_ANY = "x-amazon-apigateway-any-method"
_INTEGRATION, _AUTHORIZER, _CORS = "x-amazon-apigateway-integration", "x-amazon-apigateway-authorizer", "x-amazon-apigateway-cors"


def read(body: str) -> dict[str, Any]:
    """Returns an OpenAPI 3 document, of JSON or YAML. Raises CommonServiceException for anything else."""
    try:
        document = yaml.safe_load(body)
    except yaml.YAMLError as error:
        raise _invalid(f"Unable to parse the OpenAPI document: {error}") from None
    if not isinstance(document, dict) or not str(document.get("openapi", "")).startswith("3."):
        raise _invalid("Invalid OpenAPI input.")
    return document


def _invalid(message: str) -> CommonServiceException:
    return CommonServiceException("BadRequestException", message, status_code=400, sender_fault=True)


def fill(api: Any, document: dict[str, Any]) -> None:
    """Gives an API, moto's, the routes, integrations and authorizers of a document."""
    info = document.get("info") or {}
    api.name, api.version = str(info.get("title", api.name)), str(info["version"]) if "version" in info else api.version
    api.cors_configuration = document.get(_CORS, api.cors_configuration)
    authorizers = _authorizers(api, document)
    components = (document.get("components") or {}).get("x-amazon-apigateway-integrations") or {}
    for path, methods in (document.get("paths") or {}).items():
        for method, operation in methods.items():
            if method.lower() not in _METHODS and method != _ANY:
                continue
            key = DEFAULT if path.strip("/") == DEFAULT else f"{'ANY' if method == _ANY else method.upper()} {path}"
            integration = operation.get(_INTEGRATION)
            if isinstance(integration, dict) and "$ref" in integration:
                integration = components.get(integration["$ref"].rpartition("/")[2])
            target = f"integrations/{_integration(api, integration).id}" if integration else None
            secured = operation.get("security", document.get("security"))
            api.create_route(
                api_key_required=False, route_key=key, target=target,
                operation_name=operation.get("operationId"), **_authorization(secured, authorizers),
            )  # fmt: skip


def _integration(api: Any, given: dict[str, Any]) -> Any:
    return api.create_integration(
        connection_type=given.get("connectionType", "INTERNET"), connection_id=given.get("connectionId"),
        description=given.get("description"), integration_method=given.get("httpMethod"),
        integration_type=str(given.get("type", "")).upper(), integration_uri=given.get("uri"),
        integration_subtype=given.get("subtype"), credentials_arn=given.get("credentials"),
        payload_format_version=str(given.get("payloadFormatVersion", "1.0")), request_parameters=given.get("requestParameters"),
        response_parameters=given.get("responseParameters"), timeout_in_millis=given.get("timeoutInMillis"),
    )  # fmt: skip


def _authorizers(api: Any, document: dict[str, Any]) -> dict[str, Any]:
    """Creates the authorizers of the document's security schemes. Returns {name of the scheme: authorizer}."""
    made = {}
    for name, scheme in ((document.get("components") or {}).get("securitySchemes") or {}).items():
        given = scheme.get(_AUTHORIZER)
        if not given:
            continue
        source = given.get("identitySource")
        jwt = {key[0].upper() + key[1:]: value for key, value in (given.get("jwtConfiguration") or {}).items()}
        made[name] = api.create_authorizer(
            auth_creds_arn=given.get("authorizerCredentials"), auth_payload_format_version=given.get("authorizerPayloadFormatVersion"),
            auth_result_ttl=given.get("authorizerResultTtlInSeconds"), authorizer_type=str(given.get("type", "")).upper(),
            authorizer_uri=given.get("authorizerUri"), enable_simple_response=given.get("enableSimpleResponses"),
            identity_source=source.split(",") if isinstance(source, str) else source, identity_validation_expr=None,
            jwt_config={key.lower(): value for key, value in jwt.items()}, name=name,
        )  # fmt: skip
    return made


def _authorization(secured: list[dict[str, Any]] | None, authorizers: dict[str, Any]) -> dict[str, Any]:
    for requirement in secured or []:
        for name, scopes in requirement.items():
            if name in authorizers:
                authorizer = authorizers[name]
                kind = "JWT" if authorizer.authorizer_type == "JWT" else "CUSTOM"
                return {"authorization_type": kind, "authorizer_id": authorizer.id, "authorization_scopes": scopes}
    return {"authorization_type": "NONE", "authorization_scopes": []}
