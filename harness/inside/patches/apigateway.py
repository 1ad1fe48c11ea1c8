"""Patches of API Gateway."""

from __future__ import annotations

import functools
from typing import Any

from harness.inside import forgotten
from harness.inside.patches.declare import NAME, patch

# https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
_LONGEST_MS = 29_000


@patch(
    "localstack.services.apigateway.next_gen.execute_api.router",
    {"ApiGatewayEndpoint.__call__": ("self", "request"), "ApiGatewayRouter.register_routes": ("self",)},
)
def http_apis(module: Any) -> None:
    """LocalStack's free edition serves REST APIs only."""
    serve_rest = module.ApiGatewayEndpoint.__call__

    @functools.wraps(serve_rest)
    def served(self: Any, request: Any, **kwargs: Any) -> Any:
        from harness.inside.http_api import endpoint  # noqa: PLC0415

        found = endpoint.find(kwargs.get("api_id", "").lower())
        return serve_rest(self, request, **kwargs) if found is None else endpoint.serve(request, found)

    module.ApiGatewayEndpoint.__call__ = served


@patch("localstack.services.apigateway.next_gen.execute_api.router", {"deprecated_endpoint": NAME})
def older_addresses(module: Any) -> None:
    """LocalStack writes a warning for each request to a REST API at /restapis, a twentieth of the time that it takes."""
    module.deprecated_endpoint = lambda endpoint, **_said: endpoint


@patch(
    "localstack.services.apigateway.next_gen.execute_api.handlers.api_key_validation",
    {"ApiKeyValidationHandler.__call__": ("self", "chain", "context", "response")},
)
def rest_apis(module: Any) -> None:
    """LocalStack asks no authorizer of a REST API, does not throttle it and counts no quotas."""
    validate = module.ApiKeyValidationHandler.__call__

    @functools.wraps(validate)
    def counted(self: Any, chain: Any, context: Any, response: Any) -> None:
        from harness.inside.rest_api.authorizers import authorize  # noqa: PLC0415
        from harness.inside.rest_api.usage_plans import take  # noqa: PLC0415

        authorize(context)
        validate(self, chain, context, response)
        take(context)

    module.ApiKeyValidationHandler.__call__ = counted


@patch(
    "localstack.services.apigateway.next_gen.execute_api.handlers.integration",
    {"IntegrationHandler.__call__": ("self", "chain", "context", "response")},
)
def rest_timeouts(module: Any) -> None:
    """LocalStack waits for an integration of a REST API as long as it takes."""
    from localstack.services.apigateway.next_gen.execute_api.gateway_response import IntegrationTimeoutError  # noqa: PLC0415

    from harness.inside import integrations  # noqa: PLC0415

    integrate = module.IntegrationHandler.__call__

    @functools.wraps(integrate)
    def integrated(self: Any, chain: Any, context: Any, response: Any) -> None:
        # A text where it comes from a template.
        timeout_s = int(context.integration.get("timeoutInMillis") or _LONGEST_MS) / 1000
        try:
            integrations.within(timeout_s, lambda: integrate(self, chain, context, response))
        except integrations.OutOfTimeError:
            raise IntegrationTimeoutError("Endpoint request timed out") from None

    module.IntegrationHandler.__call__ = integrated


@patch(
    "localstack.services.apigateway.next_gen.execute_api.handlers.resource_router",
    {"InvocationRequestRouter.get_router_for_deployment": ("deployment",), "RestAPIResourceRouter": NAME},
)
def routers(module: Any) -> None:
    """LocalStack keeps the routes of each REST API that it has ever served, with all of its deployment."""
    made = functools.lru_cache(maxsize=32)(module.RestAPIResourceRouter)
    forgotten.with_account(lambda _account: made.cache_clear())
    module.InvocationRequestRouter.get_router_for_deployment = staticmethod(made)


PATCHES = (http_apis, older_addresses, rest_apis, rest_timeouts, routers)
