"""Requests that no service and no route takes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localstack.aws.api import RequestContext
    from localstack.aws.chain import HandlerChain
    from localstack.http import Response


def not_found(chain: HandlerChain, context: RequestContext, response: Response) -> None:
    """Answers 404. LocalStack answers 200 without a body, as if it had taken what was sent there."""
    if context.service is None:
        response.status_code = 404
        response.data = json.dumps({"message": "Not Found"}).encode()
        response.content_type = "application/json"
        chain.stop()
