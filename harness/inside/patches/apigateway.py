"""Patches of API Gateway."""

from __future__ import annotations

import functools
from typing import Any

from harness.inside.patches.declare import patch


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


PATCHES = (http_apis,)
